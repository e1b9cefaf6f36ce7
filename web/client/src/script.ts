/** For a plain `<script src>`: puts `HeatmapWebSocket` on the global object. */
import { HeatmapWebSocket } from './index.ts';

Object.assign(globalThis, { HeatmapWebSocket });
