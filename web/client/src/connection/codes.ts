/** What a WebSocket close code tells the client to do next; the same table stands in the protocol document. */

export type AfterClose = 'stay_away' | 'come_back_now' | 'come_back_later';

const POLICY_VIOLATION = 1008;

export function afterClose(code: number): AfterClose {
    if (code === POLICY_VIOLATION || (code >= 4000 && code < 4100)) return 'stay_away';
    if (code >= 4200 && code < 4300) return 'come_back_now';
    return 'come_back_later';
}
