//! The functions an expression may call: those of DataFusion whose volatility is immutable.

use arrow::datatypes::DataType;
use datafusion_common::{Result, TableReference, config::ConfigOptions, plan_err};
use datafusion_expr::{
    AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, Volatility, WindowUDF,
    planner::ExprPlanner,
};
use datafusion_functions::{
    all_default_functions, core::planner::CoreFunctionPlanner,
    datetime::planner::DatetimeFunctionPlanner, unicode::planner::UnicodeFunctionPlanner,
};
use datafusion_sql::planner::ContextProvider;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::new);

/// Names of aggregate and window functions, to refuse them by what they are.
const OVER_SEVERAL_RECORDS: &[&str] = &[
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "max",
    "mean",
    "median",
    "min",
    "nth_value",
    "ntile",
    "rank",
    "row_number",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    "var_samp",
];

/// What a name in front of parentheses stands for.
pub(super) enum Function {
    /// A function of one record's values.
    Known,
    /// Its value changes from call to call.
    Unsteady,
    /// It aggregates several records.
    OverSeveralRecords,
    /// No function of that name exists.
    Unknown,
}

/// What the lower-case `name` stands for.
pub(super) fn look_up(name: &str) -> Function {
    if FUNCTIONS.by_name.contains_key(name) {
        Function::Known
    } else if FUNCTIONS.unsteady.contains_key(name) {
        Function::Unsteady
    } else if OVER_SEVERAL_RECORDS.contains(&name) {
        Function::OverSeveralRecords
    } else {
        Function::Unknown
    }
}

/// The names and aliases of all functions, sorted.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.by_name.keys().map(String::as_str)
}

struct Functions {
    by_name: BTreeMap<String, Arc<ScalarUDF>>,
    unsteady: BTreeMap<String, Arc<ScalarUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Functions {
    fn new() -> Self {
        let mut by_name = BTreeMap::new();
        let mut unsteady = BTreeMap::new();
        for function in all_default_functions() {
            let table = match function.signature().volatility {
                Volatility::Immutable => &mut by_name,
                Volatility::Stable | Volatility::Volatile => &mut unsteady,
            };
            for alias in function.aliases() {
                table.insert(alias.clone(), Arc::clone(&function));
            }
            table.insert(function.name().to_owned(), function);
        }
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(CoreFunctionPlanner::default()),
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(UnicodeFunctionPlanner),
        ];
        Self { by_name, unsteady, planners, options: ConfigOptions::default() }
    }
}

/// What DataFusion's planner may know: the functions, and no table.
pub(super) struct OneRecord;

impl ContextProvider for OneRecord {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("no table `{name}`: an expression sees one record")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &FUNCTIONS.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        FUNCTIONS.by_name.get(name).map(Arc::clone)
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _name: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &FUNCTIONS.options
    }

    fn udf_names(&self) -> Vec<String> {
        FUNCTIONS.by_name.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
