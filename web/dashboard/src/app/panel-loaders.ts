/** What each panel is made with. Their code is loaded when one is opened. */
import { Watch } from '../data/watch.ts';
import type { Draft } from '../model/alert-draft.ts';
import type { PanelActions, PanelLoaders } from '../panels/side-panel.ts';
import type { Api } from '../transport/api.ts';
import type { Alerting } from './alerting.ts';
import type { SymbolList } from './symbol-list.ts';

export interface PanelWishes extends PanelActions {
    openAlert(symbol: string, price: number | null, title: string): void;
    /** What a new alert begins with. */
    proposal(): Draft | null;
    alertsChanged(): void;
    open(symbol: string): void;
    /** Lets somebody find a symbol. */
    find(pick: (symbol: string) => void): void;
    /** Something that a panel shows has changed. */
    changed(): void;
}

export function panelLoaders(api: Api, alerting: Alerting, symbols: SymbolList, wishes: PanelWishes): PanelLoaders {
    const { feed, prices, alarm } = alerting;
    const alerts = { feed, prices, alarm, open: wishes.openAlert, proposal: wishes.proposal, pricesChanged: wishes.alertsChanged };
    const watch = {
        watch: new Watch(api, { changed: wishes.changed, price: (symbol, price) => prices.observe(symbol, price) }),
        served: (): readonly string[] => symbols.all().map(({ symbol }) => symbol),
        sockets: (): boolean => symbols.hasSockets(),
        open: wishes.open,
        find: wishes.find,
    };
    return {
        watch: async (host) => new (await import('../panels/watch-panel.ts')).WatchPanel(host, watch),
        walls: async (host) => new (await import('../panels/walls-panel.ts')).WallsPanel(host, wishes),
        tape: async (host) => new (await import('../panels/tape-panel.ts')).TapePanel(host, api, wishes),
        accuracy: async (host) => new (await import('../panels/accuracy-panel.ts')).AccuracyPanel(host, api),
        alerts: async (host) => new (await import('../panels/alerts-panel.ts')).AlertsPanel(host, alerts),
    };
}
