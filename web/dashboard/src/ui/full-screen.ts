/** Shows the page on the whole screen, or in its window again. */
export async function toggleFullScreen(): Promise<void> {
    try {
        if (document.fullscreenElement === null) await document.documentElement.requestFullscreen();
        else await document.exitFullscreen();
    } catch {
        // A frame without the permission, or a phone that has none: the page stays as it is.
    }
}
