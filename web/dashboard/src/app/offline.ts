/** Keeps the page for visits without a connection; browsers do so on https and on the same machine only. */

let isAsked = false;

/** Called when the picture is there, so that nothing delays it. The page works as well without. */
export function keepOffline(): void {
    if (isAsked || !('serviceWorker' in navigator)) return;
    isAsked = true;
    const script = new URL('sw.js', document.baseURI);
    const scope = new URL('.', document.baseURI).href;
    navigator.serviceWorker.register(script, { scope, updateViaCache: 'none' }).catch(() => {
        // Private windows and settings of a browser may forbid it.
    });
}
