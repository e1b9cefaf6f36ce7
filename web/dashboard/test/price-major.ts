/** The other layout of a grid: row after row, differences to the column before. */
export function priceMajor(bytes: Uint8Array): Uint8Array {
    const packed = bytes.slice();
    packed[3] = '2'.charCodeAt(0);
    const planesAt = 8 + new DataView(bytes.buffer).getUint32(4, true);
    const { columns, rows } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, planesAt))) as { columns: number; rows: number };
    let to = planesAt;
    for (let plane = planesAt; plane < bytes.length; plane += columns * rows) {
        for (let row = 0; row < rows; row++) {
            let before = 0;
            for (let column = 0; column < columns; column++) {
                const cell = bytes[plane + column * rows + row] ?? 0;
                packed[to] = cell - before;
                before = cell;
                to += 1;
            }
        }
    }
    return packed;
}
