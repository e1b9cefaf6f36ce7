/** What every parser of the server's answers needs: fields from outside are checked one by one, and a wrong one is named. */

export class AnswerError extends Error {
    override name = 'AnswerError';
}

/** An object from outside: its fields have the names of the server's description, what is in them is unknown. */
export type Untrusted<Body> = { readonly [Field in keyof Body]?: unknown };

export function fieldsOf<Body>(value: unknown, what: string): Untrusted<Body> {
    if (typeof value !== 'object' || value === null) throw new AnswerError(`${what} is not an object`);
    return value as Untrusted<Body>;
}

export function listOf<Row>(value: unknown, what: string): Untrusted<Row>[] {
    if (!Array.isArray(value)) throw new AnswerError(`${what} is not a list`);
    return value.map((each) => fieldsOf<Row>(each, `an item of ${what}`));
}

export function numberOf(value: unknown, what: string): number {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw new AnswerError(`${what} is not a number`);
    return value;
}

export function timeOf(value: unknown, what: string): number {
    const ms = typeof value === 'number' ? value : Date.parse(String(value));
    if (!Number.isFinite(ms)) throw new AnswerError(`${what} is not a time`);
    return ms;
}

export function optionalNumber(value: unknown): number | null {
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function numbersOf(value: unknown): number[] {
    return Array.isArray(value) ? ((value as unknown[]).filter((each) => typeof each === 'number' && each > 0) as number[]) : [];
}

/** Rows that are understood; one that is not (a newer server has more kinds of them) is skipped, and the others are kept. */
export function understood<Row>(value: unknown, what: string, parse: (row: unknown) => Row): Row[] {
    return listOf<object>(value, what).flatMap((row) => {
        try {
            return [parse(row)];
        } catch (error) {
            if (error instanceof AnswerError) return [];
            throw error;
        }
    });
}
