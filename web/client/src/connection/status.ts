/**
 * The status of the connection as the application sees it, and the one place that changes it.
 *
 * The table below is the whole machine: a move that is not in it is a bug in this package, and is refused.
 */

export type Status = 'connecting' | 'connected' | 'slow' | 'stale' | 'polling' | 'disconnected' | 'failed';

export type Reason =
    | 'created'
    | 'asked'
    | 'opened'
    | 'server_says_slow'
    | 'caught_up'
    | 'silent'
    | 'feed_stale'
    | 'feed_well'
    | 'heard_again'
    | 'closed'
    | 'no_answer'
    | 'goaway'
    | 'retry'
    | 'polling_answers'
    | 'polling_failed'
    | 'refused'
    | 'bad_address'
    | 'no_token'
    | 'gave_up'
    | 'socket_off'
    | 'aborted';

export interface StatusChange {
    status: Status;
    previous: Status;
    reason: Reason;
    /** One sentence for a person. */
    message: string;
    /** When the next attempt is due (milliseconds since 1970), where one is. */
    retryAt: number | null;
}

const MOVES: Readonly<Record<Status, readonly Status[]>> = {
    disconnected: ['connecting', 'polling', 'disconnected', 'failed'],
    connecting: ['connected', 'polling', 'disconnected', 'failed'],
    connected: ['slow', 'stale', 'disconnected', 'failed'],
    slow: ['connected', 'stale', 'disconnected', 'failed'],
    stale: ['connected', 'slow', 'disconnected', 'failed'],
    polling: ['connected', 'disconnected', 'failed'],
    failed: ['connecting', 'disconnected', 'failed'],
};

export class StatusMachine {
    #current: StatusChange = {
        status: 'disconnected',
        previous: 'disconnected',
        reason: 'created',
        message: 'not connected yet',
        retryAt: null,
    };
    readonly #tell: (change: StatusChange) => void;

    constructor(tell: (change: StatusChange) => void) {
        this.#tell = tell;
    }

    get(): StatusChange {
        return this.#current;
    }

    is(...statuses: Status[]): boolean {
        return statuses.includes(this.#current.status);
    }

    move(status: Status, reason: Reason, message: string, retryAt: number | null = null): void {
        const previous = this.#current.status;
        if (!MOVES[previous].includes(status)) {
            throw new Error(`invariant: no move from ${previous} to ${status} (${reason})`);
        }
        this.#current = { status, previous, reason, message, retryAt };
        this.#tell(this.#current);
    }
}
