export function load(text: string): any;
export function dump(value: any, options?: object): string;
