//! Numbers for people.

/// A time in nanoseconds, to three digits.
pub fn time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let unit = units.iter().find(|(size, _)| nanoseconds >= 0.9995 * size);
    let (size, unit) = unit.unwrap_or(&(1.0, "ns"));
    format!("{} {unit}", digits(nanoseconds / size))
}

/// How many times as fast.
pub fn times(ratio: f64) -> String {
    format!("{} ×", digits(ratio))
}

/// Bytes in nanoseconds, as gigabytes a second.
pub fn throughput(bytes: usize, nanoseconds: f64) -> String {
    format!("{} GB/s", digits(bytes as f64 / nanoseconds))
}

fn digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_that_fits() {
        assert_eq!(time(0.5), "0.50 ns");
        assert_eq!(time(434.4), "434 ns");
        assert_eq!(time(1_300.0), "1.30 µs");
        assert_eq!(time(999_990.0), "1.00 ms");
        assert_eq!(time(388e6), "388 ms");
        assert_eq!(throughput(65_536, 6_553.6), "10.0 GB/s");
        assert_eq!(times(3.0), "3.00 ×");
    }
}
