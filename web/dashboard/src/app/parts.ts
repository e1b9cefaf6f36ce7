/** What parts of the page are handed: the others, and what is shown. */
import type { LayerFacts } from '../data/layer-facts.ts';
import type { Leverages } from '../data/leverages.ts';
import type { Market } from '../data/market.ts';
import type { SeriesData } from '../data/series.ts';
import type { VenueBegins } from '../data/venue-begins.ts';
import type { MapPane } from '../panels/map-pane.ts';
import type { SidePanel } from '../panels/side-panel.ts';
import type { HeatChart } from '../render/chart.ts';
import type { DrawnView } from '../state/view.ts';
import type { Header } from '../ui/header.ts';
import type { Legend } from '../ui/legend.ts';
import type { LeverageChips } from '../ui/leverage-chips.ts';
import type { Notices } from '../ui/notices.ts';
import type { Scrubber } from '../ui/scrubber.ts';
import type { Tooltip } from '../ui/tooltip.ts';
import type { SymbolInfo } from '../wire/answers.ts';

/** What the page is made of. */
export interface Parts {
    market: Market;
    leverages: Leverages;
    series: SeriesData;
    begins: VenueBegins;
    facts: LayerFacts;
    chart: HeatChart;
    map: MapPane;
    panel: SidePanel;
    legend: Legend;
    header: Header;
    chips: LeverageChips;
    scrubber: Scrubber;
    tooltip: Tooltip;
    notices: Notices;
}

/** What the page shows now. */
export interface Shown {
    view: DrawnView;
    info: SymbolInfo | undefined;
    /** The range on the screen: the chosen one, or the longest that the data fills so far. */
    range: string;
    /** Market seconds a second. */
    speed: number;
    /** Prices that alerts of the shown symbol wait for. */
    alerts: readonly number[];
}
