//! Weights worked out anew at every record, and what they make of its values.

use super::{
    memories::{tame, watermarks},
    *,
};

/// A record that has been learned, its weight against the others.
#[derive(Debug, Clone, Copy)]
struct Learned {
    time: i64,
    x: f64,
    weight: f64,
}

#[derive(Debug, Clone, Copy)]
enum By {
    /// Half-life in microseconds.
    Time(f64),
    /// What a row leaves of weights, and whether rows without value do not count.
    Rows(f64, bool),
}

/// An entry under `windows`, in parts.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "options that are independent of each other")]
struct Entry {
    decay: &'static str,
    by: By,
    adjust: bool,
    filtered: bool,
    partition: bool,
    exclude: bool,
    min_count: usize,
    forget_after: Option<i64>,
}

const PLAIN: Entry = Entry {
    decay: "half_life: 6us",
    by: By::Time(6.0),
    adjust: true,
    filtered: false,
    partition: false,
    exclude: false,
    min_count: 0,
    forget_after: None,
};

/// Weights by rows, as pandas derives them from its four parameters.
const BY_ROWS: [(&str, f64); 4] = [
    ("alpha: 0.3", 0.7),
    ("span: 9", 1.0 - 2.0 / 10.0),
    ("com: 3", 1.0 - 1.0 / 4.0),
    ("half_life: 2 rows", std::f64::consts::FRAC_1_SQRT_2),
];

fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    for adjust in [true, false] {
        let plain = Entry { adjust, ..PLAIN };
        all.extend([
            plain,
            Entry { decay: "half_life: 1us", by: By::Time(1.0), ..plain },
            Entry { filtered: true, partition: true, ..plain },
            Entry { exclude: true, min_count: 3, ..plain },
            Entry { forget_after: Some(15), ..plain },
        ]);
        for (decay, keep) in BY_ROWS {
            let by = By::Rows(keep, false);
            all.push(Entry { decay, by, filtered: adjust, ..plain });
        }
        let (decay, by) = ("half_life: 2 rows, ignore_na: true", By::Rows(BY_ROWS[3].1, true));
        all.push(Entry { decay, by, exclude: true, forget_after: Some(20), ..plain });
    }
    all
}

impl Entry {
    fn horizon(self) -> Option<f64> {
        match (self.partition, self.forget_after, self.by) {
            (true, ..) | (false, None, By::Rows(..)) => None,
            (false, Some(us), _) => Some(us as f64),
            (false, None, By::Time(half_life)) => Some(64.0 * half_life),
        }
    }

    /// What record `i` is told of those before it, all weights worked out anew.
    fn learned(self, records: &[Record], watermarks: &[i64], i: usize) -> Vec<Learned> {
        let mut known: Vec<Learned> = Vec::new();
        for (j, record) in records[..=i].iter().enumerate() {
            if !self.partition && record.slot != records[i].slot {
                continue;
            }
            let newest = known.iter().map(|l| l.time).max();
            let is_past = |newest: i64, us: f64| (watermarks[j] - newest) as f64 > us;
            if newest.zip(self.horizon()).is_some_and(|(newest, us)| is_past(newest, us)) {
                known.clear();
            }
            let counts = !self.filtered || record.flag == Some(true);
            let own = record.value.filter(|_| counts);
            if let By::Rows(keep, ignore_na) = self.by
                && (own.is_some() || !ignore_na)
            {
                for l in &mut known {
                    l.weight *= keep;
                }
            }
            if j == i && self.exclude {
                break;
            }
            if let Some(x) = own.filter(|x| x.is_finite()) {
                self.learn(&mut known, record.time, x);
            }
        }
        known
    }

    fn learn(self, known: &mut Vec<Learned>, time: i64, x: f64) {
        let newest = known.iter().map(|l| l.time).max().unwrap_or(time);
        let own = match self.by {
            _ if self.adjust || known.is_empty() => 1.0,
            By::Rows(keep, _) => 1.0 - keep,
            By::Time(half_life) => {
                let left = 0.5_f64.powf((time - newest).max(0) as f64 / half_life);
                for l in known.iter_mut() {
                    l.weight *= left;
                }
                1.0 - left
            }
        };
        known.push(Learned { time, x, weight: own });
        if !self.adjust {
            let sum: f64 = known.iter().map(|l| l.weight).sum();
            for l in known.iter_mut() {
                l.weight /= sum;
            }
        }
        if let (true, By::Time(half_life)) = (self.adjust, self.by) {
            let newest = newest.max(time);
            let age = |l: &Learned| (newest - l.time) as f64 / half_life;
            for l in known.iter_mut() {
                l.weight = 0.5_f64.powf(age(l));
            }
        }
    }

    fn yaml(self, name: &str) -> String {
        let Self { decay, adjust, exclude, min_count, .. } = self;
        let condition = if self.filtered { "where: flag, " } else { "" };
        let per = if self.partition { "per: partition, " } else { "" };
        let forget =
            self.forget_after.map_or(String::new(), |us| format!("forget_after: {us}us, "));
        let keys = format!(
            "{condition}{per}{forget}exclude_current: {exclude}, min_count: {min_count}, of: x"
        );
        let mut computed = vec![
            format!("{{ ewma: {{ {decay}, adjust: {adjust}, as: {name}_mean }} }}"),
            format!("{{ ewm_var: {{ {decay}, adjust: {adjust}, as: {name}_var }} }}"),
            format!("{{ ewm_std: {{ {decay}, adjust: {adjust}, bias: true, as: {name}_std }} }}"),
        ];
        if decay.contains("half_life") && adjust {
            computed.push(format!("{{ decayed_count: {{ {decay}, as: {name}_count }} }}"));
            computed.push(format!("{{ decayed_sum: {{ {decay}, as: {name}_sum }} }}"));
        }
        format!("- {{ {keys}, compute: [{}] }}", computed.join(", "))
    }

    /// Compares all columns of record `i`.
    #[expect(clippy::too_many_arguments, reason = "what was sent and what came out")]
    fn check(
        self,
        name: &str,
        out: &RecordBatch,
        records: &[Record],
        watermarks: &[i64],
        i: usize,
    ) {
        let known = self.learned(records, watermarks, i);
        let enough = known.len() >= self.min_count;
        let context = || format!("{name} {self:?} at {i}: {known:?} of {records:?}");
        let scale = known.iter().fold(1.0_f64, |a, l| a.max(l.x.abs()));
        let near = |got: Option<f64>, expected: Option<f64>, scale: f64| match (got, expected) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-11 * scale,
            (a, b) => a == b,
        };
        let of = |what: &str| float(out, &format!("{name}_{what}"), i);
        let told = |x: f64| (enough && !known.is_empty()).then_some(x);
        let w: f64 = known.iter().map(|l| l.weight).sum();
        let mean = known.iter().map(|l| l.weight * l.x).sum::<f64>() / w;
        assert!(
            near(of("mean"), told(mean), scale),
            "{} {mean} {}",
            of("mean").unwrap(),
            context()
        );
        let squares = |l: &Learned| l.weight * (l.x - mean) * (l.x - mean);
        let biased = known.iter().map(squares).sum::<f64>() / w;
        let std = of("std").map(|std| std * std);
        assert!(near(std, told(biased), scale * scale), "{std:?} {biased} {}", context());
        let pair = |a: usize| known[..a].iter().map(move |b| b.weight).sum::<f64>();
        let cross: f64 = (0..known.len()).map(|a| 2.0 * known[a].weight * pair(a)).sum();
        let is_alone = cross / (w * w) <= 2.0_f64.powi(-60);
        let var = told(biased * w * w / cross).filter(|_| !is_alone);
        assert!(near(of("var"), var, scale * scale), "{:?} {var:?} {}", of("var"), context());
        if out.column_by_name(&format!("{name}_count")).is_none() {
            return;
        }
        // As of the record's own time, unless it is behind.
        let left = match (self.by, known.iter().map(|l| l.time).max()) {
            (By::Time(half_life), Some(newest)) => {
                0.5_f64.powf((records[i].time - newest).max(0) as f64 / half_life)
            }
            _ => 1.0,
        };
        let sum = known.iter().map(|l| l.weight * l.x * left).sum::<f64>();
        let sum = enough.then_some(sum);
        assert!(near(of("sum"), sum, scale * w.max(1.0)), "{:?} {sum:?} {}", of("sum"), context());
        // A count has all values, those that are not finite too.
        let odd = records[..=i].iter().any(|r| r.value.is_some_and(|x| !x.is_finite()));
        if !odd {
            let count = enough.then_some(w * left);
            assert!(
                near(of("count"), count, w.max(1.0)),
                "{:?} {count:?} {}",
                of("count"),
                context()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn recursions_equal_their_definition(records in tame(120, 25)) {
        let named: Vec<(String, Entry)> =
            entries().into_iter().enumerate().map(|(i, e)| (format!("e{i}"), e)).collect();
        let yaml: Vec<String> = named.iter().map(|(name, entry)| entry.yaml(name)).collect();
        let mut engine = build(&yaml.join("\n"));
        let watermarks = watermarks(&records, 25);
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        for (name, entry) in &named {
            (0..records.len()).for_each(|i| entry.check(name, &out, &records, &watermarks, i));
        }
    }
}
