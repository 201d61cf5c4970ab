declare const echarts: any;
export function init(...args: any[]): any;
export default echarts;
