// express.d.ts
import { type NodeRequest, type NodeResponse } from './node.ts';
import { type PriceOptions } from './server/Offer.ts';
import type { Gate } from './server/gate.ts';
export interface ExpressRequest extends NodeRequest {
    readonly originalUrl: string;
}
export interface ExpressResponse extends NodeResponse {
    readonly locals: Record<string, unknown>;
}
export declare function paid(gate: Gate, options: PriceOptions): (req: ExpressRequest, res: ExpressResponse, next: (error?: unknown) => void) => Promise<void>;

// node.d.ts
import type { Grant } from './core/Grant.ts';
import { type PriceOptions } from './server/Offer.ts';
import type { Answer, Call } from './server/Call.ts';
import type { Gate } from './server/gate.ts';
export interface NodeRequest {
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly rawHeaders: readonly string[];
    readonly socket: {
        readonly remoteAddress?: string | undefined;
    };
}
export interface NodeResponse {
    readonly statusCode: number;
    readonly headersSent: boolean;
    readonly destroyed: boolean;
    readonly errored?: Error | null;
    readonly writableFinished: boolean;
    writeHead(status: number, headers: string[]): unknown;
    write(chunk: never): boolean;
    end(body?: string | Uint8Array): unknown;
    once(event: 'finish' | 'close', listener: () => void): unknown;
    destroy(error?: Error): unknown;
}
export declare function callOf(req: NodeRequest, target?: string): Call;
export declare function sendAnswer(res: NodeResponse, { status, headers, body }: Omit<Answer, 'body'> & {
    readonly body: string | Uint8Array;
}): void;
export declare function releaseOnFailure(res: NodeResponse, release: () => Promise<void>): void;
export declare function paid<Req extends NodeRequest, Res extends NodeResponse>(gate: Gate, options: PriceOptions, handler: (req: Req, res: Res, grant: Grant) => void | Promise<void>): (req: Req, res: Res) => Promise<void>;
