/** Every key the page listens to, in one table that is also the help. */
import { RANGES } from '../model/ranges.ts';
import { element } from './dom.ts';

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

interface Binding {
    keys: readonly string[];
    shown: string;
    command: Command;
    says: string;
}

const BINDINGS: readonly Binding[] = [
    { keys: ['ArrowLeft'], shown: '←', command: 'left', says: 'earlier' },
    { keys: ['ArrowRight'], shown: '→', command: 'right', says: 'later' },
    { keys: ['+', '='], shown: '+', command: 'zoom_in', says: 'zoom in' },
    { keys: ['-', '_'], shown: '−', command: 'zoom_out', says: 'zoom out' },
    { keys: ['0', 'Home'], shown: '0', command: 'fit', says: 'whole range' },
    { keys: ['['], shown: '[', command: 'back', says: 'look back a candle' },
    { keys: [']'], shown: ']', command: 'forward', says: 'forward a candle' },
    { keys: ['n', 'N'], shown: 'N', command: 'now', says: 'back to now' },
    { keys: [' '], shown: 'space', command: 'play', says: 'play or pause a replay' },
    { keys: ['<', ','], shown: '<', command: 'slower', says: 'slower replay' },
    { keys: ['>', '.'], shown: '>', command: 'faster', says: 'faster replay' },
    { keys: ['l', 'L'], shown: 'L', command: 'scale', says: 'next colour scale' },
    { keys: ['c', 'C'], shown: 'C', command: 'colours', says: 'next colours' },
    { keys: ['d', 'D'], shown: 'D', command: 'side', says: 'next side' },
    { keys: ['e', 'E'], shown: 'E', command: 'events', says: 'realised liquidations' },
    { keys: ['w', 'W'], shown: 'W', command: 'swept', says: 'swept levels' },
    { keys: ['k', 'K'], shown: 'K', command: 'near', says: 'colours by what is near the price' },
    { keys: ['m', 'M'], shown: 'M', command: 'pane', says: 'heatmap or map' },
    { keys: ['p', 'P'], shown: 'P', command: 'panel', says: 'panel beside the chart' },
    { keys: ['h', 'H'], shown: 'H', command: 'chart', says: 'add a chart' },
    { keys: ['o', 'O'], shown: 'O', command: 'watch', says: 'watch list' },
    { keys: ['x', 'X'], shown: 'X', command: 'walls', says: 'walls' },
    { keys: ['v', 'V'], shown: 'V', command: 'tape', says: 'tape of liquidations' },
    { keys: ['b', 'B'], shown: 'B', command: 'alerts', says: 'alerts' },
    { keys: ['i', 'I'], shown: 'I', command: 'accuracy', says: 'accuracy of the map' },
    { keys: ['j', 'J'], shown: 'J', command: 'measured', says: 'measured positions' },
    { keys: ['a', 'A'], shown: 'A', command: 'axis', says: 'price axis: linear, log, %' },
    { keys: ['u', 'U'], shown: 'U', command: 'zone', says: 'UTC or local time' },
    { keys: ['t', 'T'], shown: 'T', command: 'theme', says: 'dark or light' },
    { keys: ['s', 'S'], shown: 'S', command: 'screenshot', says: 'save a screenshot' },
    { keys: ['g', 'G'], shown: 'G', command: 'date', says: 'go to a date' },
    { keys: ['f', 'F'], shown: 'F', command: 'full', says: 'full screen' },
    { keys: ['r', 'R'], shown: 'R', command: 'refresh', says: 'fetch the picture again' },
    { keys: ['/'], shown: '/', command: 'symbol', says: 'find a symbol' },
    { keys: ['?'], shown: '?', command: 'help', says: 'this help' },
];

const SLIDER_KEYS = /^(Arrow|Page|Home|End)/;

/** Whether a field that has the focus uses a key for itself; a box that is ticked uses only the space bar. */
function needs({ type }: HTMLInputElement, key: string): boolean {
    if (type === 'checkbox') return key === ' ';
    return type !== 'range' || SLIDER_KEYS.test(key);
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
        const binding = BINDINGS.find(({ keys }) => keys.includes(event.key));
        if (range === undefined && binding === undefined) return;
        event.preventDefault();
        if (binding !== undefined) onCommand(binding.command);
        else if (range !== undefined) onRange(range.id);
    });
}

export function fillHelp(dialog: HTMLDialogElement): void {
    const list = element('dl');
    const ranges = `1 – ${RANGES.length}`;
    for (const [shown, says] of [
        ...BINDINGS.map(({ shown, says }) => [shown, says] as const),
        [ranges, 'time range'] as const,
        ['⇧ drag', 'measure'] as const,
    ]) {
        list.append(element('dt', {}, element('kbd', { textContent: shown })), element('dd', { textContent: says }));
    }
    dialog.replaceChildren(element('h2', { textContent: 'Keyboard' }), list);
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog) dialog.close();
    });
}
