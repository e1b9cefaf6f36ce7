/** A moment that is in nothing that is loaded: it is fetched, and nothing else is shown until it is there. */
import type { View } from '../state/view.ts';
import type { Notices } from '../ui/notices.ts';
import type { Navigation } from './navigation.ts';
import type { Painter } from './painter.ts';

export class Past {
    readonly #painter: Pick<Painter, 'lacksMoment'>;
    readonly #navigation: Pick<Navigation, 'recall' | 'isLoading'>;
    readonly #notices: Pick<Notices, 'show'>;
    #isAwaited = false;

    constructor(
        painter: Pick<Painter, 'lacksMoment'>,
        navigation: Pick<Navigation, 'recall' | 'isLoading'>,
        notices: Pick<Notices, 'show'>,
    ) {
        this.#painter = painter;
        this.#navigation = navigation;
        this.#notices = notices;
    }

    /** After everything that may have changed what is loaded or looked at, before the browser paints. */
    update({ moment, pane }: View): void {
        const isLacking = moment !== null && this.#painter.lacksMoment();
        if (isLacking) this.#navigation.recall(moment);
        const isAwaited = isLacking && pane === 'heatmap' && this.#navigation.isLoading();
        if (isAwaited) this.#notices.show({ kind: 'loading_past' });
        else if (this.#isAwaited) this.#notices.show(null);
        this.#isAwaited = isAwaited;
    }
}
