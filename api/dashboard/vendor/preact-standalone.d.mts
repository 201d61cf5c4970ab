// What the page uses of Preact and htm; read by the type checker alone.
export type Component = (props: any) => any;
export function h(type: any, props?: any, ...children: any[]): any;
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function render(node: any, parent: Element): void;
export function useState<T>(initial: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export function useEffect(effect: () => void | (() => void), inputs?: readonly any[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly any[]): void;
export function useRef(initial?: any): { current: any };
export function useMemo<T>(make: () => T, inputs: readonly any[]): T;
export function useCallback<T extends Function>(callback: T, inputs: readonly any[]): T;
export function useErrorBoundary(callback?: (error: any) => void): [any, () => void];
