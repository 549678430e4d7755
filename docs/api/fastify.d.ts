// fastify.d.ts
import type { Grant } from './core/Grant.ts';
import { type NodeRequest, type NodeResponse } from './node.ts';
import { type PriceOptions } from './server/Offer.ts';
import type { Gate } from './server/gate.ts';
export interface FastifyRequest {
    readonly raw: NodeRequest;
}
export interface FastifyReply {
    readonly raw: NodeResponse;
    hijack(): unknown;
}
export declare function grantOf(request: FastifyRequest): Grant;
export declare function paid(gate: Gate, options: PriceOptions): (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
