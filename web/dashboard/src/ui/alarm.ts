/** How an alert reaches somebody: a card on the page, a sound, a notification of the browser. */
import { load, save } from '../transport/stored.ts';
import { byId, element } from './dom.ts';

export interface AlarmSettings {
    /** A card on the page. */
    card: boolean;
    /** A notification of the browser, also while the page is in the background. */
    notify: boolean;
    /** 0 is silent, 1 is loudest. */
    volume: number;
}

const STORED = 'liqheat.alarm';
const DEFAULTS: AlarmSettings = { card: true, notify: false, volume: 0.4 };
const CARD_MS = 30_000;
const CARDS_MAX = 4;
/** Two rising tones: frequency, and when they begin and end. */
const TONES = [
    { hz: 660, from: 0, to: 0.16 },
    { hz: 880, from: 0.18, to: 0.42 },
] as const;

export function alarmSettingsOf(text: string | null): AlarmSettings {
    try {
        const { card, notify, volume } = JSON.parse(text ?? '{}') as Partial<AlarmSettings>;
        return {
            card: card ?? DEFAULTS.card,
            notify: notify === true,
            volume: typeof volume === 'number' && volume >= 0 && volume <= 1 ? volume : DEFAULTS.volume,
        };
    } catch {
        return DEFAULTS;
    }
}

export interface Ring {
    title: string;
    text: string;
    /** What a click does. */
    open(): void;
}

export class Alarm {
    readonly #cards = byId('cards', HTMLElement);
    #settings = alarmSettingsOf(load(STORED));
    #audio: AudioContext | null = null;

    settings(): AlarmSettings {
        return this.#settings;
    }

    set(part: Partial<AlarmSettings>): void {
        this.#settings = { ...this.#settings, ...part };
        save(STORED, JSON.stringify(this.#settings));
    }

    /** Asks the browser for permission to notify. The result says why it is not given. */
    async allowNotifications(): Promise<string | null> {
        if (!window.isSecureContext) return 'Browsers notify only for pages over https or on this machine.';
        if (!('Notification' in window)) return 'This browser has no notifications.';
        const permission = await Notification.requestPermission();
        return permission === 'granted' ? null : 'Notifications of this page are blocked in the settings of the browser.';
    }

    ring(ring: Ring): void {
        const { card, notify, volume } = this.#settings;
        if (card) this.#show(ring);
        if (volume > 0) this.sound();
        if (notify) void this.#notify(ring);
    }

    /** Browsers allow sound only after somebody has clicked on the page. */
    sound(): void {
        const { volume } = this.#settings;
        try {
            this.#audio ??= new AudioContext();
            void this.#audio.resume();
        } catch {
            // A machine without sound.
            return;
        }
        const audio = this.#audio;
        for (const { hz, from, to } of TONES) {
            const tone = audio.createOscillator();
            const gain = audio.createGain();
            tone.frequency.value = hz;
            // Squared, because loudness is heard that way; without the ramp each tone would begin and end with a click.
            gain.gain.setValueAtTime(0, audio.currentTime + from);
            gain.gain.linearRampToValueAtTime(volume ** 2, audio.currentTime + from + 0.02);
            gain.gain.linearRampToValueAtTime(0, audio.currentTime + to);
            tone.connect(gain).connect(audio.destination);
            tone.start(audio.currentTime + from);
            tone.stop(audio.currentTime + to);
        }
    }

    #show({ title, text, open }: Ring): void {
        const go = element('button', { type: 'button', className: 'card-text' }, element('b', { textContent: title }), ` ${text}`);
        const close = element('button', { type: 'button', className: 'card-close', textContent: '×' });
        close.setAttribute('aria-label', 'Close this alert');
        const card = element('div', { className: 'card' }, go, close);
        go.addEventListener('click', () => {
            card.remove();
            open();
        });
        close.addEventListener('click', () => card.remove());
        this.#cards.prepend(card);
        while (this.#cards.childElementCount > CARDS_MAX) this.#cards.lastElementChild?.remove();
        setTimeout(() => card.remove(), CARD_MS);
    }

    async #notify({ title, text, open }: Ring): Promise<void> {
        if (!('Notification' in window) || Notification.permission !== 'granted') return;
        try {
            const note = new Notification(title, { body: text, icon: './icon.svg', tag: `${title} ${text}` });
            note.onclick = () => {
                window.focus();
                open();
            };
        } catch {
            // Phones notify only through the service worker.
            const worker = await navigator.serviceWorker?.getRegistration();
            await worker?.showNotification(title, { body: text, icon: './icon.svg' });
        }
    }
}
