//! `--settings` and `--set`, for every verb that needs the service settings.

use super::{Exit, terminal};
use crate::settings::{self, Settings};
use std::path::PathBuf;

/// Where the settings come from, beside the environment (`MILLSTREAM__KAFKA__BOOTSTRAP_SERVERS`).
#[derive(Debug, clap::Args)]
pub(super) struct SettingsArgs {
    /// The settings file; without it config/millstream.yaml is read if it exists.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A setting that wins over file and environment, such as `workers=2`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl SettingsArgs {
    /// Loads the settings, or prints what is wrong with them.
    pub(super) fn load(&self) -> Result<Settings, Exit> {
        Settings::load(self.settings.as_deref(), settings::environment(), &self.sets)
            .map_err(|problem| terminal::refuse(&[problem]))
    }
}
