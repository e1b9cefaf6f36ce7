//! The libduckdb that was linked is the one the pinned crate was made for, and it reads CSV and parquet
//! without fetching an extension.

use duckdb::Connection;

#[test]
fn the_linked_library_is_the_pinned_release() {
    let connection = Connection::open_in_memory().unwrap();
    assert_eq!(connection.version().unwrap(), "v1.5.6");
}

#[test]
fn csv_and_parquet_need_no_extension_from_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("SET autoinstall_known_extensions = false").unwrap();
    for (name, format) in [("rows.csv", "csv"), ("rows.parquet", "parquet")] {
        let file = path(name);
        connection
            .execute_batch(&format!(
                "COPY (SELECT i, i * 2 AS twice FROM range(1000) t(i)) TO '{file}' (FORMAT {format})"
            ))
            .unwrap();
        let sum: i64 = connection
            .query_row(&format!("SELECT sum(twice)::BIGINT FROM '{file}'"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(sum, 999_000, "{format}");
    }
}
