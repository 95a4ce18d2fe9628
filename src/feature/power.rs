//! `power`: a power that makes values more like normal ones.

use super::{
    Build, Feature, Input,
    scaled::{divisor, finite, scaled},
};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "power",
    summary: "The Yeo-Johnson or Box-Cox transform with a given lambda, standardized on request.",
    example: "{ column: amount, lambda: 0.35, mean: 4.1, std: 2.2 }",
    details: "Yeo-Johnson: `((x + 1)^lambda - 1) / lambda` from 0 on, `ln(x + 1)` at 0; below 0 \
              minus that of `-x` with `2 - lambda` (Yeo and Johnson 2000). Box-Cox: `(x^lambda - \
              1) / lambda`, `ln x` at 0 (Box and Cox 1964). Then `(y - mean) / std`. Null of a \
              null; NaN of NaN, and where Box-Cox is not defined.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Which family of powers.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// Of any number: the default.
    #[default]
    YeoJohnson,
    /// Of numbers above 0; NaN of others.
    BoxCox,
}

/// Options of `power`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// `yeo_johnson` or `box_cox`.
    #[serde(default)]
    #[schemars(extend("default" = "yeo_johnson"))]
    method: Method,
    /// The exponent that was fitted: `lambdas_` of scikit-learn's `PowerTransformer`.
    lambda: f64,
    /// Mean of the transformed training data, subtracted afterwards: 0 if not given.
    #[serde(default)]
    mean: f64,
    /// Standard deviation of the transformed training data, divided by afterwards: 1 if not given.
    #[serde(default = "one")]
    std: f64,
    /// Name of the output; `{column}_power` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn one() -> f64 {
    1.0
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, method, lambda, mean, std, name } = registry::options(node)?;
    let lambda = finite(node, "lambda", lambda)?;
    let (mean, std) = (finite(node, "mean", mean)?, divisor(node, "std", std)?);
    let transform = match method {
        Method::YeoJohnson => yeo_johnson,
        Method::BoxCox => box_cox,
    };
    scaled(node, input, &column, (name, "power"), move |x| (transform(x, lambda) - mean) / std)
}

/// (x^lambda - 1) / lambda, at 0 ln x: Box and Cox, "An analysis of transformations" (1964).
fn box_cox(x: f64, lambda: f64) -> f64 {
    if x <= 0.0 { f64::NAN } else { power(x.ln(), lambda) }
}

/// Box-Cox of x + 1 where x is not negative, else minus that of 1 - x with 2 - lambda: Yeo and
/// Johnson, "A new family of power transformations to improve normality or symmetry" (2000).
fn yeo_johnson(x: f64, lambda: f64) -> f64 {
    if x < 0.0 { -power((-x).ln_1p(), 2.0 - lambda) } else { power(x.ln_1p(), lambda) }
}

/// (e^(lambda log) - 1) / lambda, without loss where lambda is near 0.
fn power(log: f64, lambda: f64) -> f64 {
    if lambda == 0.0 { log } else { (lambda * log).exp_m1() / lambda }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.yeojohnson and scipy.special.boxcox, also near the lambdas with a case of their
    /// own.
    #[test]
    fn powers_are_those_of_scipy_on_both_sides_of_zero() {
        let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got}");
        near(yeo_johnson(-2.0, 0.5), -(3_f64.powf(1.5) - 1.0) / 1.5);
        near(yeo_johnson(-2.0, 2.0), -(3_f64.ln()));
        near(yeo_johnson(3.0, 0.0), 4_f64.ln());
        near(yeo_johnson(3.0, -0.5), (4_f64.powf(-0.5) - 1.0) / -0.5);
        near(box_cox(3.0, 0.0), 3_f64.ln());
        near(box_cox(3.0, 2.0), 4.0);
        for x in [-5.0, -0.1, 0.0, 0.1, 5.0] {
            near(yeo_johnson(x, 1.0), x);
            near(yeo_johnson(x, 1e-14), yeo_johnson(x, 0.0));
            near(yeo_johnson(x, 2.0 - 1e-14), yeo_johnson(x, 2.0));
        }
    }
}
