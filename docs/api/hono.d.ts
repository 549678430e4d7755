// hono.d.ts
import { type PriceOptions } from './server/Offer.ts';
import type { Gate } from './server/gate.ts';
export interface HonoContext {
    readonly req: {
        readonly raw: Request;
    };
    readonly env: unknown;
    res: Response;
    readonly error: Error | undefined;
    set: (key: any, value: any) => void;
}
export declare function paid(gate: Gate, options: PriceOptions & {
    readonly client?: (request: Request) => string;
}): (c: HonoContext, next: () => Promise<void>) => Promise<Response | void>;
