// Asks for the list of symbols while the page's code is still on its way; `transport/api.ts` takes the answer. Who has a token
// asks later, with it.
(() => {
    try {
        if (location.hash.includes('token=') || sessionStorage.getItem('liqheat.token') || localStorage.getItem('liqheat.token')) return;
    } catch {
        return;
    }
    globalThis.liqheatSymbols = fetch('v1/symbols', { headers: { accept: 'application/json' } }).catch(() => null);
})();
