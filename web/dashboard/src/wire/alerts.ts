/** `GET /v1/alerts`: rules in force, where alerts go, and the newest alerts. */
import type { Alert, AlertSubject, AlertsBody, RuleFields, RuleKind, RuleRow, TargetRow } from './bodies.generated.ts';
import { AnswerError, fieldsOf, listOf, numberOf, optionalNumber, timeOf, understood } from './fields.ts';

export type { AlertSubject, RuleFields, RuleKind };

export const RULE_KINDS = ['near_wall', 'wall_swept', 'liquidation', 'cascade', 'wall_formed', 'wall_vanished', 'feed_stale'] as const;

export interface AlertRule {
    fields: RuleFields;
    /** It came through the API, so that the API can change it; others stand in a file of the server. */
    isEditable: boolean;
}

export interface AlertTarget {
    name: string;
    /** The last messages to it failed; `reason` says why. */
    isDead: boolean;
    reason: string;
}

/** An alert that was raised. */
export interface RaisedAlert {
    id: string;
    rule: string;
    symbol: string;
    /** Market time, milliseconds since 1970. */
    time: number;
    price: number;
    subject: AlertSubject;
    /** How often it happened since the rule's last alert about the symbol. */
    count: number;
    totalUsd: number;
}

export interface Alerts {
    rules: AlertRule[];
    targets: AlertTarget[];
    /** Newest first. */
    raised: RaisedAlert[];
}

function parseRule(value: unknown): AlertRule {
    const { source, ...fields } = fieldsOf<RuleRow>(value, 'a rule') as RuleRow;
    if (typeof fields.name !== 'string' || !RULE_KINDS.includes(fields.kind)) throw new AnswerError('a rule has no name or no known kind');
    return { fields, isEditable: source === 'api' };
}

const SUBJECT_NUMBERS: Record<RuleKind, readonly string[]> = {
    near_wall: ['distance_pct'],
    wall_swept: [],
    liquidation: ['price', 'usd'],
    cascade: ['window_s'],
    wall_formed: ['distance_pct'],
    wall_vanished: ['distance_pct'],
    feed_stale: [],
};

function subjectOf(value: unknown): AlertSubject {
    const subject = fieldsOf<AlertSubject>(value, 'a subject') as AlertSubject;
    const numbers = SUBJECT_NUMBERS[subject.kind];
    if (numbers === undefined) throw new AnswerError(`an alert about '${String(subject.kind)}' is not known`);
    const fields = subject as unknown as Record<string, unknown>;
    for (const name of numbers) numberOf(fields[name], name);
    if ('wall' in subject) {
        const { low, high, usd } = subject.wall;
        for (const each of [low, high, usd]) numberOf(each, 'a field of a wall');
    }
    if (subject.kind === 'cascade') for (const side of [subject.long, subject.short]) numberOf(side.usd, 'usd');
    return subject;
}

function parseRaised(value: unknown): RaisedAlert {
    const fields = fieldsOf<Alert>(value, 'an alert');
    return {
        id: String(fields.id),
        rule: String(fields.rule),
        symbol: String(fields.symbol),
        time: timeOf(fields.time, 'time'),
        price: numberOf(fields.price, 'price'),
        subject: subjectOf(fields.subject),
        count: optionalNumber(fields.count) ?? 1,
        totalUsd: optionalNumber(fields.total_usd) ?? 0,
    };
}

export function parseAlerts(body: unknown): Alerts {
    const fields = fieldsOf<AlertsBody>(body, 'alerts');
    return {
        rules: understood(fields.rules, 'rules', parseRule),
        targets: listOf<TargetRow>(fields.targets, 'targets').map((each) => ({
            name: String(each.name),
            isDead: each.dead === true,
            reason: String(each.reason ?? ''),
        })),
        raised: understood(fields.alerts, 'alerts', parseRaised).reverse(),
    };
}
