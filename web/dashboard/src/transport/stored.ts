/** What the page keeps in the browser. A page without storage (private windows, sandboxes) forgets, and works. */

export function load(name: string): string | null {
    try {
        return localStorage.getItem(name);
    } catch {
        return null;
    }
}

export function save(name: string, text: string): void {
    try {
        localStorage.setItem(name, text);
    } catch {
        // As above.
    }
}
