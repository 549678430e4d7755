// lightning/phoenixd.d.ts
import type { Lightning } from './Lightning.ts';
import { type ApiOptions } from './phoenixd/api.ts';
export interface PhoenixdOptions extends ApiOptions {
    readonly clock?: () => Date;
}
export interface Phoenixd extends Lightning {
    readonly nodeId: string;
    maySpend(): Promise<boolean>;
}
export declare function phoenixd(options: PhoenixdOptions): Promise<Phoenixd>;

// lightning/phoenixd/api.d.ts
export interface ApiOptions {
    readonly url: string;
    readonly password: string;
}
export interface Api {
    get(path: string): Promise<unknown>;
    post(path: string, form: Readonly<Record<string, string>>): Promise<unknown>;
}
export declare function openApi({ url, password }: ApiOptions): Api;
