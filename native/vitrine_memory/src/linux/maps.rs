//! Counts the memory mappings of this process.

use std::fs::{File, read_to_string};
use std::io::Read;

/// The number of mappings, and the number that the system allows. `None` if the system does not say.
pub(crate) fn count_mappings() -> Option<(u64, u64)> {
    let limit = read_to_string("/proc/sys/vm/max_map_count").ok()?;
    let mapped = count_lines("/proc/self/maps")?;
    Some((mapped, limit.trim().parse().ok()?))
}

/// Reads the file in parts: as a whole it would take some megabytes where there are many mappings.
fn count_lines(path: &str) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut part = vec![0; 64 << 10];
    let mut lines = 0;
    loop {
        match file.read(&mut part).ok()? {
            0 => return Some(lines),
            length => lines += part[..length].iter().filter(|b| **b == b'\n').count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mappings_of_this_process_are_counted() {
        let (mapped, limit) = count_mappings().unwrap();
        assert!(mapped > 10 && limit > mapped, "{mapped} of {limit}");
    }
}
