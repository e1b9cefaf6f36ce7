/** What each panel is made with. Their code is loaded when one is opened. */
import type { Draft } from '../model/alert-draft.ts';
import type { PanelActions, PanelLoaders } from '../panels/side-panel.ts';
import type { Api } from '../transport/api.ts';
import type { Alerts } from './alerts.ts';
import type { SymbolList } from './symbol-list.ts';

export interface PanelWishes extends PanelActions {
    openAlert(symbol: string, price: number | null, title: string): void;
    /** What a new alert begins with. */
    proposal(): Draft | null;
    alertsChanged(): void;
    open(symbol: string): void;
    /** Shows a chart beside the first one, or takes it away. */
    beside(symbol: string): void;
    /** Lets somebody find a symbol. */
    find(pick: (symbol: string) => void): void;
    /** Something that a panel shows has changed. */
    changed(): void;
}

export function panelLoaders(api: Api, alerts: Alerts, symbols: SymbolList, wishes: PanelWishes): PanelLoaders {
    const asked = { open: wishes.openAlert, proposal: wishes.proposal, pricesChanged: wishes.alertsChanged };
    const watched = {
        changed: wishes.changed,
        price: (symbol: string, price: number): void => alerts.loaded()?.prices.observe(symbol, price),
    };
    const watch = {
        served: (): readonly string[] => symbols.all().map(({ symbol }) => symbol),
        sockets: (): boolean => symbols.hasSockets(),
        open: wishes.open,
        find: wishes.find,
    };
    return {
        watch: async (host) => {
            const [{ WatchPanel }, { Watch }] = await Promise.all([import('../panels/watch-panel.ts'), import('../data/watch.ts')]);
            return new WatchPanel(host, { ...watch, watch: new Watch(api, watched) });
        },
        walls: async (host) => new (await import('../panels/walls-panel.ts')).WallsPanel(host, wishes),
        tape: async (host) => new (await import('../panels/tape-panel.ts')).TapePanel(host, api, wishes),
        accuracy: async (host) => new (await import('../panels/accuracy-panel.ts')).AccuracyPanel(host, api),
        measured: async (host) => {
            const { MeasuredPanel } = await import('../panels/measured-panel.ts');
            return new MeasuredPanel(host, api, wishes, () => symbols.layers());
        },
        alerts: async (host) => {
            const [{ AlertsPanel }, { feed, prices, alarm }] = await Promise.all([import('../panels/alerts-panel.ts'), alerts.load()]);
            return new AlertsPanel(host, { feed, prices, alarm, ...asked });
        },
    };
}
