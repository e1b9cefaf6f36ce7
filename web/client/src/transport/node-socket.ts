/**
 * A WebSocket for Node before 22, which has none of its own: as much of RFC 6455 as a client of this server needs, over
 * Node's `http` and `https`. No extensions; never part of a page's bundle.
 */
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Socket } from './environment.ts';

/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
/** A message larger than this is not one of this server's. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
const CLOSE_LIMIT_MS = 2_000;

export class NodeSocket implements Socket {
    /** Binary messages are handed out as `Uint8Array`, whatever this says. */
    binaryType = 'arraybuffer';
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    #stream: Duplex | null = null;
    #buffered: Buffer = Buffer.alloc(0);
    #parts: Buffer[] = [];
    #partsOpcode: number = OPCODE.text;
    #closing = false;
    #closed = false;

    /** # Throws `SyntaxError` when the address is not one of a WebSocket. */
    constructor(address: string, protocols: readonly string[] = []) {
        const url = URL.canParse(address) ? new URL(address) : null;
        if (url === null || !['ws:', 'wss:'].includes(url.protocol)) {
            throw new SyntaxError(`'${address}' is not a WebSocket address`);
        }
        const secure = url.protocol === 'wss:';
        url.protocol = secure ? 'https:' : 'http:';
        const key = randomBytes(16).toString('base64');
        const accept = createHash('sha1').update(key + ACCEPT_SUFFIX).digest('base64');
        const headers: Record<string, string> = {
            connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key,
        };
        if (protocols.length > 0) headers['sec-websocket-protocol'] = protocols.join(', ');
        const request = (secure ? httpsRequest : httpRequest)(url, { headers });
        request.on('upgrade', (answer: IncomingMessage, stream: Duplex, head: Buffer) => {
            if (answer.headers['sec-websocket-accept'] !== accept || this.#closing) {
                stream.destroy();
                this.#end(1006, '');
                return;
            }
            this.#opened(stream, head);
        });
        request.on('response', (answer) => {
            answer.resume();
            this.#end(1006, '');
        });
        request.on('error', () => this.#end(1006, ''));
        request.end();
    }

    send(data: string): void {
        if (!this.#closing) this.#frame(OPCODE.text, Buffer.from(data));
    }

    close(code = 1000, reason = ''): void {
        if (this.#closing) return;
        const body = Buffer.alloc(2 + Buffer.byteLength(reason));
        body.writeUInt16BE(code);
        body.write(reason, 2);
        this.#frame(OPCODE.close, body);
        this.#closing = true;
        const stream = this.#stream;
        // A server that does not answer the close is left anyway; the timer does not keep the process alive.
        setTimeout(() => stream?.destroy(), CLOSE_LIMIT_MS).unref();
    }

    #opened(stream: Duplex, head: Buffer): void {
        this.#stream = stream;
        stream.on('data', (bytes: Buffer) => this.#bytes(bytes));
        stream.on('error', () => this.#end(1006, ''));
        stream.on('close', () => this.#end(1006, ''));
        this.onopen?.({} as never);
        if (head.length > 0) this.#bytes(head);
    }

    #end(code: number, reason: string): void {
        if (this.#closed) return;
        this.#closed = true;
        this.#closing = true;
        this.#stream?.destroy();
        if (code === 1006) this.onerror?.({} as never);
        this.onclose?.({ code, reason });
    }

    #frame(opcode: number, body: Buffer): void {
        const extra = body.length < LENGTH_16 ? 0 : body.length < 65_536 ? 2 : 8;
        const head = Buffer.alloc(6 + extra);
        head[0] = FINAL | opcode;
        if (extra === 0) head[1] = MASKED | body.length;
        else if (extra === 2) {
            head[1] = MASKED | LENGTH_16;
            head.writeUInt16BE(body.length, 2);
        } else {
            head[1] = MASKED | LENGTH_64;
            head.writeBigUInt64BE(BigInt(body.length), 2);
        }
        const mask = randomBytes(4);
        mask.copy(head, 2 + extra);
        const masked = Buffer.from(body.map((byte, at) => byte ^ (mask[at & 3] ?? 0)));
        this.#stream?.write(Buffer.concat([head, masked]));
    }

    #bytes(bytes: Buffer): void {
        this.#buffered = this.#buffered.length === 0 ? bytes : Buffer.concat([this.#buffered, bytes]);
        for (;;) {
            const buffer = this.#buffered;
            if (buffer.length < 2 || this.#closed) return;
            const first = buffer[0] ?? 0;
            const second = buffer[1] ?? 0;
            let length = second & 0x7f;
            let at = 2;
            if (length === LENGTH_16) {
                if (buffer.length < 4) return;
                length = buffer.readUInt16BE(2);
                at = 4;
            } else if (length === LENGTH_64) {
                if (buffer.length < 10) return;
                length = Number(buffer.readBigUInt64BE(2));
                at = 10;
            }
            // A server must not mask (section 5.1), and nothing here is that large.
            if ((second & MASKED) !== 0 || length > MESSAGE_BYTES_MAX) {
                this.#end(1002, 'protocol error');
                return;
            }
            if (buffer.length < at + length) return;
            this.#buffered = buffer.subarray(at + length);
            this.#received((first & FINAL) !== 0, first & 0x0f, buffer.subarray(at, at + length));
        }
    }

    #received(final: boolean, opcode: number, body: Buffer): void {
        switch (opcode) {
            case OPCODE.ping:
                if (!this.#closing) this.#frame(OPCODE.pong, body);
                return;
            case OPCODE.pong:
                return;
            case OPCODE.close: {
                const code = body.length >= 2 ? body.readUInt16BE(0) : 1005;
                const reason = body.subarray(2).toString('utf8');
                if (!this.#closing) this.#frame(OPCODE.close, body.subarray(0, 2));
                this.#closing = true;
                this.#end(code, reason);
                return;
            }
            case OPCODE.continuation:
                this.#parts.push(body);
                break;
            case OPCODE.text:
            case OPCODE.binary:
                this.#parts = [body];
                this.#partsOpcode = opcode;
                break;
            default:
                this.#end(1002, 'protocol error');
                return;
        }
        if (!final) return;
        const message = Buffer.concat(this.#parts);
        this.#parts = [];
        this.onmessage?.({ data: this.#partsOpcode === OPCODE.text ? message.toString('utf8') : message });
    }
}
