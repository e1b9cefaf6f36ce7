/** Rules of the server, prices that the page itself waits for, how an alert is noticed, and what was raised. */
import type { AlertFeed } from '../data/alerts.ts';
import type { PriceWatch } from '../data/price-watch.ts';
import { type Draft, draftOf, freeName, ruleOf } from '../model/alert-draft.ts';
import { alertPrice, alertWords, cooldownWords, KIND_NAMES, ruleWords, scopeWords } from '../model/alert-words.ts';
import { formatAge, formatPrice, formatTime, priceDecimals } from '../model/format.ts';
import type { PriceAlert } from '../model/price-alerts.ts';
import type { Alarm } from '../ui/alarm.ts';
import { element } from '../ui/dom.ts';
import { Redrawn } from '../ui/redrawn.ts';
import type { AlertRule, RaisedAlert } from '../wire/alerts.ts';
import { AlertForm } from './alert-form.ts';
import type { PanelPart, PanelState } from './side-panel.ts';

const RAISED_MAX = 60;

export interface AlertsContext {
    feed: AlertFeed;
    prices: PriceWatch;
    alarm: Alarm;
    /** Shows what an alert was about. */
    open(symbol: string, price: number | null, title: string): void;
    /** What a new alert begins with: the price that was pointed at last, or the wall there. */
    proposal(): Draft | null;
    /** The page's own price alerts were changed. */
    pricesChanged(): void;
}

function keyed(button: HTMLButtonElement, key: string, act: () => void): HTMLButtonElement {
    button.dataset.key = key;
    button.addEventListener('click', act);
    return button;
}

export class AlertsPanel implements PanelPart {
    readonly #context: AlertsContext;
    readonly #title = element('h2', { textContent: 'Alerts' });
    readonly #form: AlertForm;
    readonly #trouble = element('p', { className: 'hint bad', hidden: true });
    readonly #waiting = new Redrawn();
    readonly #raised = new Redrawn();
    #symbol = '';
    /** What the server said to the last change; empty after one that it accepted. */
    #refused = '';
    #state: PanelState | null = null;

    constructor(host: HTMLElement, context: AlertsContext) {
        this.#context = context;
        this.#trouble.setAttribute('role', 'status');
        const add = element('button', { type: 'button', className: 'small', textContent: 'New' });
        add.addEventListener('click', () => this.propose(context.proposal() ?? draftOf('near_wall', this.#symbol)));
        this.#form = new AlertForm((draft) => void this.#set(draft));
        host.replaceChildren(
            element('div', { className: 'panel-head' }, this.#title, add),
            this.#form.element,
            this.#trouble,
            element(
                'div',
                { className: 'scroll', tabIndex: 0 },
                this.#waiting.element,
                element('h3', { textContent: 'How' }),
                this.#how(),
                element('h3', { textContent: 'Raised' }),
                this.#raised.element,
            ),
        );
    }

    propose(draft: Draft): void {
        this.#refused = '';
        this.#form.open(draft);
        this.#again();
    }

    show(state: PanelState): void {
        this.#state = state;
        this.#symbol = state.market;
        const { feed, prices } = this.#context;
        const newest = feed.newest();
        const dead = (newest?.targets ?? []).filter(({ isDead }) => isDead);
        const trouble = [
            this.#refused,
            feed.failure() === '' ? '' : `The server's alerts cannot be read: ${feed.failure()}.`,
            ...dead.map(({ name, reason }) => `Target ${name} does not receive alerts: ${reason}.`),
        ].filter(Boolean);
        this.#trouble.hidden = trouble.length === 0;
        this.#trouble.textContent = trouble.join(' ');
        const rules = newest?.rules ?? [];
        this.#waiting.show(JSON.stringify([rules, prices.all()]), () => this.#waitingRows(rules, prices.all()));
        const raised = (newest?.raised ?? []).slice(0, RAISED_MAX);
        this.#raised.show(JSON.stringify([raised.map(({ id }) => id), state.zone, newest === null]), () =>
            this.#raisedRows(raised, newest !== null),
        );
    }

    #again(): void {
        if (this.#state !== null) this.show(this.#state);
    }

    async #set(draft: Draft): Promise<void> {
        const { feed, prices } = this.#context;
        this.#refused = '';
        if (draft.kind === 'price') {
            prices.add(draft.symbol, draft.price);
            this.#pricesChanged();
            return;
        }
        const taken = new Set(feed.newest()?.rules.map(({ fields }) => fields.name) ?? []);
        const { kind } = draft;
        this.#refused = (await feed.put(ruleOf({ ...draft, kind }, freeName(draft, taken)))) ?? '';
        // What was typed stays where the server did not take it.
        if (this.#refused !== '') this.#form.open(draft);
        this.#again();
    }

    #pricesChanged(): void {
        this.#context.pricesChanged();
        this.#again();
    }

    async #change(change: Promise<string | null>): Promise<void> {
        this.#refused = (await change) ?? '';
        this.#again();
    }

    #waitingRows(rules: readonly AlertRule[], prices: readonly PriceAlert[]): Node[] {
        const rows = [...prices.map((alert) => this.#priceRow(alert)), ...rules.map((rule) => this.#ruleRow(rule))];
        if (rows.length > 0) return rows;
        const how = 'None yet. New, a bell beside a wall, or a right click in the chart sets one.';
        return [element('p', { className: 'hint', textContent: how })];
    }

    #item(words: readonly (Node | string)[], note: string, isPaused: boolean, buttons: readonly Node[]): HTMLElement {
        const text = element('div', {}, element('div', {}, ...words), element('div', { className: 'hint', textContent: note }));
        const item = element('div', { className: 'item' }, text, ...buttons);
        item.dataset.paused = String(isPaused);
        return item;
    }

    #ruleRow(rule: AlertRule): HTMLElement {
        const { feed } = this.#context;
        const { fields, isEditable } = rule;
        const { name } = fields;
        const isPaused = fields.paused === true;
        const words = [element('b', { textContent: scopeWords(rule) }), `: ${ruleWords(rule)}`];
        const note = `${isPaused ? 'paused · ' : ''}${name} · at most every ${cooldownWords(rule)}${isEditable ? '' : " · from the server's file, changed there"}`;
        if (!isEditable) return this.#item(words, note, isPaused, []);
        const pause = element('button', { type: 'button', className: 'small', textContent: isPaused ? 'Resume' : 'Pause' });
        const remove = element('button', { type: 'button', className: 'small', textContent: 'Delete' });
        pause.setAttribute('aria-label', `${pause.textContent} ${name}`);
        remove.setAttribute('aria-label', `Delete ${name}`);
        return this.#item(words, note, isPaused, [
            keyed(pause, `pause-${name}`, () => void this.#change(feed.put({ ...fields, paused: !isPaused }))),
            keyed(remove, `delete-${name}`, () => void this.#change(feed.remove(name))),
        ]);
    }

    #priceRow({ id, symbol, price, paused, reachedAt }: PriceAlert): HTMLElement {
        const { prices } = this.#context;
        const shown = formatPrice(price, priceDecimals(price));
        const state = reachedAt !== null ? `reached ${formatAge(Date.now() - reachedAt)} ago` : paused ? 'paused' : 'waiting';
        const isIdle = paused || reachedAt !== null;
        const arm = element('button', { type: 'button', className: 'small', textContent: isIdle ? 'Resume' : 'Pause' });
        const remove = element('button', { type: 'button', className: 'small', textContent: 'Delete' });
        arm.setAttribute('aria-label', `${arm.textContent} ${symbol} at ${shown}`);
        remove.setAttribute('aria-label', `Delete ${symbol} at ${shown}`);
        const act = (change: () => void) => (): void => {
            change();
            this.#pricesChanged();
        };
        return this.#item(
            [element('b', { textContent: symbol }), `: price ${shown}`],
            `${state} · this browser, while the page is open`,
            isIdle,
            [
                keyed(
                    arm,
                    `arm-${id}`,
                    act(() => prices.toggle(id)),
                ),
                keyed(
                    remove,
                    `drop-${id}`,
                    act(() => prices.remove(id)),
                ),
            ],
        );
    }

    #raisedRows(raised: readonly RaisedAlert[], isKnown: boolean): Node[] {
        if (raised.length === 0) {
            return [element('p', { className: 'hint', textContent: isKnown ? 'Nothing so far.' : 'Loading' })];
        }
        const zone = this.#state?.zone ?? 'utc';
        return raised.map((alert) => {
            const { symbol, time, rule, subject } = alert;
            const words = alertWords(alert, zone);
            const go = element('button', { type: 'button', className: 'raised' }, element('b', { textContent: symbol }), ` ${words}`);
            keyed(go, `raised-${alert.id}`, () => this.#context.open(symbol, alertPrice(alert), KIND_NAMES[subject.kind]));
            return element(
                'div',
                { className: 'item' },
                element('div', {}, go, element('div', { className: 'hint', textContent: `${formatTime(time, zone)} · ${rule}` })),
            );
        });
    }

    #how(): HTMLElement {
        const { alarm } = this.#context;
        const { card, notify, volume } = alarm.settings();
        const onPage = element('input', { type: 'checkbox', checked: card });
        onPage.addEventListener('change', () => alarm.set({ card: onPage.checked }));
        const notes = element('input', { type: 'checkbox', checked: notify });
        const whyNot = element('span', { className: 'hint' });
        notes.addEventListener('change', () => {
            alarm.set({ notify: false });
            whyNot.textContent = '';
            if (!notes.checked) return;
            void alarm.allowNotifications().then((why) => {
                notes.checked = why === null;
                alarm.set({ notify: why === null });
                whyNot.textContent = why ?? '';
            });
        });
        const loud = element('input', { type: 'range', min: '0', max: '1', step: '0.05', value: String(volume) });
        loud.setAttribute('aria-label', 'Volume of the sound');
        loud.addEventListener('change', () => {
            alarm.set({ volume: Number(loud.value) });
            if (Number(loud.value) > 0) alarm.sound();
        });
        return element(
            'div',
            { className: 'how' },
            element('label', { className: 'check' }, onPage, 'Card on the page'),
            element('label', { className: 'check' }, notes, 'Notification of the browser'),
            whyNot,
            element('label', { className: 'check' }, 'Sound', loud),
        );
    }
}
