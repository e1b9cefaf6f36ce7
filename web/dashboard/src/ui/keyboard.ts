/** Every key the page listens to; `key-help.ts` says what each does. */
import { RANGES } from '../model/ranges.ts';

export type Command =
    | 'left'
    | 'right'
    | 'zoom_in'
    | 'zoom_out'
    | 'fit'
    | 'back'
    | 'forward'
    | 'now'
    | 'play'
    | 'slower'
    | 'faster'
    | 'scale'
    | 'colours'
    | 'side'
    | 'theme'
    | 'events'
    | 'swept'
    | 'near'
    | 'pane'
    | 'screenshot'
    | 'axis'
    | 'zone'
    | 'chart'
    | 'watch'
    | 'walls'
    | 'tape'
    | 'panel'
    | 'alerts'
    | 'accuracy'
    | 'measured'
    | 'refresh'
    | 'date'
    | 'full'
    | 'symbol'
    | 'help';

/** Letters stand for both cases. */
const KEYS: Readonly<Record<Command, readonly string[]>> = {
    left: ['ArrowLeft'],
    right: ['ArrowRight'],
    zoom_in: ['+', '='],
    zoom_out: ['-', '_'],
    fit: ['0', 'Home'],
    back: ['['],
    forward: [']'],
    now: ['n'],
    play: [' '],
    slower: ['<', ','],
    faster: ['>', '.'],
    scale: ['l'],
    colours: ['c'],
    side: ['d'],
    events: ['e'],
    swept: ['w'],
    near: ['k'],
    pane: ['m'],
    panel: ['p'],
    chart: ['h'],
    watch: ['o'],
    walls: ['x'],
    tape: ['v'],
    alerts: ['b'],
    accuracy: ['i'],
    measured: ['j'],
    axis: ['a'],
    zone: ['u'],
    theme: ['t'],
    screenshot: ['s'],
    date: ['g'],
    full: ['f'],
    refresh: ['r'],
    symbol: ['/'],
    help: ['?'],
};

const SLIDER_KEYS = /^(Arrow|Page|Home|End)/;

/** Whether a field that has the focus uses a key for itself; a box that is ticked uses only the space bar. */
function needs({ type }: HTMLInputElement, key: string): boolean {
    if (type === 'checkbox') return key === ' ';
    return type !== 'range' || SLIDER_KEYS.test(key);
}

function commandOf(key: string): Command | undefined {
    const pressed = key.length === 1 ? key.toLowerCase() : key;
    return (Object.keys(KEYS) as Command[]).find((command) => KEYS[command].includes(pressed));
}

export function listen(onCommand: (command: Command) => void, onRange: (id: string) => void): void {
    document.addEventListener('keydown', (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        const { target } = event;
        // Keys that a focused field needs for itself stay with it.
        if (target instanceof HTMLSelectElement) return;
        if (target instanceof HTMLInputElement && needs(target, event.key)) return;
        // The space bar presses what has the focus.
        if (event.key === ' ' && target instanceof HTMLElement && target.closest('button, summary, a') !== null) return;
        // One that has just been closed keeps the focus for a moment.
        if (target instanceof HTMLElement && target.closest('dialog[open]') !== null) return;
        const range = RANGES[Number.parseInt(event.key, 10) - 1];
        const command = commandOf(event.key);
        if (range === undefined && command === undefined) return;
        event.preventDefault();
        if (command !== undefined) onCommand(command);
        else if (range !== undefined) onRange(range.id);
    });
}
