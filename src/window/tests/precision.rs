//! What is promised about rounding, however long a stream runs.

use super::*;

/// Numbers between 0 and 1 that need no generator.
fn noise(i: i64) -> f64 {
    let mixed = i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    (mixed ^ (mixed >> 29)).rem_euclid(1_000_003) as f64 / 1_000_003.0
}

/// The reference: two passes over the values themselves, taken off an offset first so that the
/// reference is exact to the last digits.
fn two_pass(values: &[f64], offset: f64) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| v - offset).sum::<f64>() / n;
    let m2: f64 = values.iter().map(|v| (v - offset - mean) * (v - offset - mean)).sum();
    (offset + mean, (m2 / (n - 1.0)).sqrt())
}

#[test]
fn mean_and_std_stay_exact_over_ten_million_updates() {
    let mut windows = build("[{ over: 700us, of: x, compute: [mean, std] }]");
    let value = |i: i64| match i % 200_000 {
        50_000 => f64::NAN,
        60_000 => f64::INFINITY,
        _ => 1e9 + 3_000.0 * noise(i),
    };
    let (mut highest, batch) = (i64::MIN, 10_000);
    for from in (0..10_000_000).step_by(10_000) {
        let records: Vec<_> = (from..from + batch).map(|i| Record::new(0, i, value(i))).collect();
        let rows = rows(&records, 0, &mut highest, 20);
        let out = windows.advance(rows, &mut Rejections::default()).columns;
        for i in (from..from + batch).step_by(3_333).filter(|i| *i >= 700) {
            let held: Vec<f64> = (i - 699..=i).map(value).collect();
            let row = usize::try_from(i - from).unwrap();
            let got = (float(&out, "x_mean_700us", row), float(&out, "x_std_700us", row));
            let (Some(mean), Some(std)) = got else { panic!("no value") };
            if held.iter().all(|v| v.is_finite()) {
                let (expected_mean, expected_std) = two_pass(&held, 1e9);
                assert!((mean / expected_mean - 1.0).abs() <= 1e-9, "{mean} {expected_mean}");
                assert!((std / expected_std - 1.0).abs() <= 1e-9, "{std} {expected_std}");
            } else {
                assert!(!mean.is_finite() && std.is_nan());
            }
        }
    }
}

#[test]
fn nothing_is_left_of_what_has_passed_through() {
    let mut windows = build("[{ over: 500us, of: x, compute: [sum, mean, std, min, max] }]");
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e17];
    let value = |i: i64| if i % 1_000 < 300 { odd[usize::try_from(i % 6).unwrap()] } else { 0.1 };
    let records: Vec<_> = (0..5_000).map(|i| Record::new(0, i, value(i))).collect();
    let out = run(&mut windows, &records, 7, &[]).remove(0);
    let mut clean = 0;
    for i in 0..5_000_usize {
        if i % 1_000 >= 800 {
            clean += 1;
            assert_eq!(float(&out, "x_std_500us", i), Some(0.0), "a constant window, at {i}");
            assert_eq!(float(&out, "x_mean_500us", i), Some(0.1), "at {i}");
            assert!((float(&out, "x_sum_500us", i).unwrap() - 50.0).abs() < 1e-10);
            assert_eq!(float(&out, "x_min_500us", i), Some(0.1));
            assert_eq!(float(&out, "x_max_500us", i), Some(0.1));
        }
    }
    assert_eq!(clean, 1_000);
}

#[test]
fn an_outlier_that_leads_the_window_costs_no_precision() {
    let mut windows = build("[{ over: 50ms, of: x, compute: [mean, std] }]");
    let value = |i: i64| if i == 0 { 1e9 } else { noise(i) };
    let records: Vec<_> = (0..20_000).map(|i| Record::new(0, i, value(i))).collect();
    let out = run(&mut windows, &records, 0, &[]).remove(0);
    let held: Vec<f64> = (0..20_000).map(value).collect();
    let (mean, std) = two_pass(&held, 0.0);
    let got = |name: &str| float(&out, name, 19_999).unwrap();
    assert!((got("x_mean_50ms") / mean - 1.0).abs() <= 1e-12);
    assert!((got("x_std_50ms") / std - 1.0).abs() <= 1e-12);
}
