/** The table of keys, loaded when somebody asks for it. */
import { RANGES } from '../model/ranges.ts';
import { byId, element } from './dom.ts';
import type { Command } from './keyboard.ts';

/** What stands on the key, and what it does, in the order of the table. */
const HELP: Readonly<Record<Command, readonly [shown: string, says: string]>> = {
    left: ['←', 'earlier'],
    right: ['→', 'later'],
    zoom_in: ['+', 'zoom in'],
    zoom_out: ['−', 'zoom out'],
    fit: ['0', 'whole range'],
    back: ['[', 'look back a candle'],
    forward: [']', 'forward a candle'],
    now: ['N', 'back to now'],
    play: ['space', 'play or pause a replay'],
    slower: ['<', 'slower replay'],
    faster: ['>', 'faster replay'],
    scale: ['L', 'next colour scale'],
    colours: ['C', 'next colours'],
    side: ['D', 'next side'],
    events: ['E', 'realised liquidations'],
    swept: ['W', 'swept levels'],
    near: ['K', 'colours by what is near the price'],
    pane: ['M', 'heatmap or map'],
    panel: ['P', 'panel beside the chart'],
    chart: ['H', 'add a chart'],
    watch: ['O', 'watch list'],
    walls: ['X', 'walls'],
    tape: ['V', 'tape of liquidations'],
    alerts: ['B', 'alerts'],
    accuracy: ['I', 'accuracy of the map'],
    measured: ['J', 'measured positions'],
    axis: ['A', 'price axis: linear, log, %'],
    zone: ['U', 'UTC or local time'],
    theme: ['T', 'dark or light'],
    screenshot: ['S', 'save a screenshot'],
    date: ['G', 'go to a date'],
    full: ['F', 'full screen'],
    refresh: ['R', 'fetch the picture again'],
    symbol: ['/', 'find a symbol'],
    help: ['?', 'this help'],
};

export function showKeys(): void {
    const dialog = byId('keys', HTMLDialogElement);
    if (dialog.childElementCount === 0) fill(dialog);
    dialog.showModal();
}

function fill(dialog: HTMLDialogElement): void {
    const list = element('dl');
    for (const [shown, says] of [...Object.values(HELP), [`1 – ${RANGES.length}`, 'time range'], ['⇧ drag', 'measure']]) {
        list.append(element('dt', {}, element('kbd', { textContent: shown ?? '' })), element('dd', { textContent: says ?? '' }));
    }
    dialog.replaceChildren(element('h2', { textContent: 'Keyboard' }), list);
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog) dialog.close();
    });
}
