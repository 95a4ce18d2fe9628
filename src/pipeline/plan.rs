//! What a pipeline does, for a person: what `check` prints.

use super::{
    fold::Fold,
    spec::{Delivery, EventTimeSpec, Order, Spec},
    vector::Vector,
};
use crate::{
    batch::{Bounds, Policy, Reason},
    registry::Span,
};
use arrow::datatypes::Field;
use std::fmt;

/// The parts of a definition that the plan tells about.
pub(super) struct Plan<'a> {
    pub(super) spec: &'a Spec,
    pub(super) fold: &'a Fold,
    pub(super) vector: &'a Vector,
    pub(super) state_hash: &'a str,
    pub(super) hash: &'a str,
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.source(f)?;
        self.clean(f)?;
        self.expectations(f)?;
        self.windows(f)?;
        self.limits(f)?;
        self.output(f)?;
        self.outcomes(f)
    }
}

impl Plan<'_> {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delivery = match self.spec.delivery {
            Delivery::ExactlyOnce => "exactly once",
            Delivery::AtLeastOnce => "at least once",
        };
        writeln!(f, "pipeline {}", self.spec.pipeline)?;
        writeln!(f, "  definition  {}", self.hash)?;
        writeln!(f, "  state       {}", self.state_hash)?;
        writeln!(f, "  delivery    {delivery}")
    }

    fn source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.spec.source;
        let event_time = match &source.event_time {
            EventTimeSpec::Kafka => "the Kafka timestamp".to_owned(),
            EventTimeSpec::Column(stated) => match &stated.unit {
                Some(unit) => format!("{} ({unit})", stated.column),
                None => stated.column.clone(),
            },
        };
        writeln!(f, "\nsource {} ({})", source.topics.join(", "), source.format)?;
        writeln!(f, "  key         {}", source.key.0.join(", "))?;
        writeln!(f, "  event time  {event_time}")?;
        writeln!(f, "  lateness    {}", source.lateness)?;
        writeln!(f, "  max_ahead   {}", source.max_ahead)?;
        self.order(f)?;
        writeln!(f, "  columns")?;
        for field in self.fold.input().fields() {
            column(f, field, "")?;
        }
        Ok(())
    }

    fn order(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.spec.source;
        let Some(max_held) = source.max_held() else { return Ok(()) };
        let idle = source.idle_us().map_or("off".to_owned(), |us| Span { us }.to_string());
        let peers = if source.peers { ", peers see each other" } else { "" };
        let longer = match self.fold.wait_us() {
            0 => String::new(),
            us => format!(" until {} behind the watermark", Span { us }),
        };
        writeln!(f, "  order       event time, up to {max_held} records held{longer}{peers}")?;
        writeln!(f, "  idle        {idle}")
    }

    fn clean(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.spec.clean.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nclean")?;
        for (step, node) in self.fold.clean().iter().zip(&self.spec.clean) {
            let entries = node.as_map().expect("built as a step");
            let (name, _, options) = &entries[0];
            let options = options.canonical().replace('"', "");
            let by_arrival = self.spec.source.order == Order::Arrival && step.order_sensitive();
            let mark = if by_arrival { "  (order-sensitive)" } else { "" };
            writeln!(f, "  {name} {options}{mark}")?;
        }
        Ok(())
    }

    fn expectations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(section) = &self.spec.expectations else { return Ok(()) };
        let to = section.quality_topic.as_deref().map(|topic| format!(", verdicts to {topic}"));
        writeln!(f, "\nexpectations every {}{}", section.every, to.unwrap_or_default())?;
        for expectation in self.fold.expectations() {
            let Bounds { min, max } = expectation.threshold;
            let min = min.map(|min| format!(" at least {min}"));
            let max = max.map(|max| format!(" at most {max}"));
            let ends: String = min.into_iter().chain(max).collect();
            let (name, severity) = (&expectation.name, expectation.severity.name());
            writeln!(f, "  {name:<32}{severity:<8}{}{ends}", expectation.measure)?;
        }
        Ok(())
    }

    fn windows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = self.fold.windows();
        if windows.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nwindows")?;
        for window in windows {
            let mark = if window.order_sensitive() { "  (order-sensitive)" } else { "" };
            let of = window.column.as_deref().unwrap_or("rows");
            let condition = window.condition.as_ref();
            let condition = condition.map(|sql| format!(" where {sql}")).unwrap_or_default();
            writeln!(f, "  {} of {of}{condition}{mark}", window.shape)?;
            let computed: Vec<&str> =
                window.computed.iter().map(|(name, _)| name.as_str()).collect();
            writeln!(f, "    computes  {}", computed.join(", "))?;
            let each = if window.key_bytes_max.is_some() { "a tile" } else { "an event" };
            write!(
                f,
                "    keeps     {}: {} bytes a key and {} {each}",
                window.retained, window.key_bytes, window.event_bytes
            )?;
            if let Some(bytes) = window.key_bytes_max {
                write!(f, ", at most {bytes} a key")?;
            }
            match window.lane {
                Some(lane) => writeln!(f, ", in buffer {lane}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = &self.spec.limits;
        if !limits.evicts() {
            return Ok(());
        }
        writeln!(f, "\nstate of a partition, beyond which the oldest keys give way")?;
        if let Some(keys) = limits.state_keys {
            writeln!(f, "  keys        {keys}")?;
        }
        if let Some(bytes) = limits.state_bytes {
            writeln!(f, "  bytes       {}", bytes.0)?;
        }
        Ok(())
    }

    fn output(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let output = &self.spec.output;
        let schema = self.vector.schema();
        let count = schema.fields().len();
        writeln!(f, "\nvector to {} ({}), {count} fields", output.topic, output.format)?;
        for (index, field) in schema.fields().iter().enumerate() {
            column(f, field, if index < self.vector.carried() { "carried" } else { "" })?;
        }
        Ok(())
    }

    fn outcomes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\noutcomes")?;
        for policy in [Policy::Reject, Policy::Drop, Policy::Keep, Policy::Forget] {
            let reasons: Vec<&str> = Reason::ALL
                .into_iter()
                .filter(|reason| self.spec.outcomes.policy(*reason) == policy)
                .filter(|reason| self.spec.can_meet(*reason))
                .map(Reason::name)
                .collect();
            if !reasons.is_empty() {
                let to = match (&self.spec.dead_letter, policy) {
                    (Some(dead_letter), Policy::Reject) => format!(" (to {})", dead_letter.topic),
                    _ => String::new(),
                };
                writeln!(f, "  {:<7} {}{to}", policy.name(), reasons.join(", "))?;
            }
        }
        if self.spec.late_replayed() != self.spec.outcomes.policy(Reason::Late) {
            let policy = self.spec.late_replayed().name();
            writeln!(f, "  {policy:<7} late, where `dlq replay` sent it again")?;
        }
        Ok(())
    }
}

fn column(f: &mut fmt::Formatter<'_>, field: &Field, mark: &str) -> fmt::Result {
    let null = if field.is_nullable() { "nullable" } else { "" };
    let data_type = field.data_type().to_string();
    let line = format!("    {:<32}{data_type:<32}{null:<10}{mark}", field.name());
    writeln!(f, "{}", line.trim_end())
}
