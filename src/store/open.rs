//! From the settings to an object store: a directory, or a bucket with its credentials.
//!
//! Credentials come from where each service's own tools look for them (environment, instance
//! metadata, workload identity), or from `snapshots.secrets`.

use super::{
    error::{Cause, Operation, Remedy, StoreError},
    local::LocalDirectory,
};
use crate::settings::{Cloud, Snapshots, Store};
use object_store::{
    BackoffConfig, ObjectStore, RetryConfig, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder, prefix::PrefixStore,
};
use std::{str::FromStr, sync::Arc, time::Duration};
use tracing::warn;

/// Requests of one operation that fail before it does, with growing random pauses between them.
const RETRIES_MAX: usize = 3;
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(3);
const RETRY_TIME_MAX: Duration = Duration::from_secs(20);

/// A store without its runtime.
pub(super) struct Opened {
    /// What messages call it: the URL, which holds no secret.
    pub(super) shown: String,
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Whether large objects go in parts.
    pub(super) parts: bool,
}

/// What is done about a directory that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It is made where it is missing, and waited for where time helps.
    Waits,
    /// It must be there.
    None,
}

/// Opens the store of the settings. A bucket is neither made nor asked anything yet.
pub(super) fn open(settings: &Snapshots, patience: Patience) -> Result<Opened, StoreError> {
    let shown = shown(&settings.store);
    let failed = |error: object_store::Error| StoreError::of(&shown, Operation::Open, &error);
    match &settings.store {
        Store::Directory(root) => {
            let directory = LocalDirectory::at(root, patience == Patience::Waits);
            if let Err(error) = directory.open().map_err(failed) {
                if patience == Patience::None || error.remedy() == Remedy::Person {
                    return Err(error);
                }
                warn!(%error, "going on without snapshots until it can be opened");
            }
            Ok(Opened { shown, objects: Arc::new(directory), parts: false })
        }
        Store::Bucket { cloud, name, prefix } => {
            let failed = |error: object_store::Error| {
                let text = error.to_string();
                // A text that repeats an option may repeat a secret.
                let repeats = settings.options().any(|(_, value)| text.contains(value.expose()));
                let reason = if repeats { "an option has a wrong value" } else { &text };
                StoreError::new(&shown, Operation::Open, Cause::Settings, reason)
            };
            let objects = bucket(*cloud, name, settings).map_err(failed)?;
            let objects: Arc<dyn ObjectStore> = match prefix.as_str() {
                "" => objects,
                prefix => Arc::new(PrefixStore::new(objects, prefix)),
            };
            Ok(Opened { shown, objects, parts: true })
        }
    }
}

/// The store as a URL.
fn shown(store: &Store) -> String {
    match store {
        Store::Directory(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("file://{}", path.display())
        }
        Store::Bucket { cloud, name, prefix } if prefix.is_empty() => {
            format!("{}://{name}", cloud.scheme())
        }
        Store::Bucket { cloud, name, prefix } => format!("{}://{name}/{prefix}", cloud.scheme()),
    }
}

type Built = Result<Arc<dyn ObjectStore>, object_store::Error>;

fn bucket(cloud: Cloud, name: &str, settings: &Snapshots) -> Built {
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: RETRY_PAUSE_FIRST,
            max_backoff: RETRY_PAUSE_MAX,
            base: 2.0,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIME_MAX,
    };
    match cloud {
        Cloud::S3 => {
            let builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry);
            let set = |b: AmazonS3Builder, key, value| b.with_config(key, value);
            Ok(Arc::new(configured(builder, settings, set)?.build()?))
        }
        Cloud::Google => {
            let builder =
                GoogleCloudStorageBuilder::from_env().with_bucket_name(name).with_retry(retry);
            let set = |b: GoogleCloudStorageBuilder, key, value| b.with_config(key, value);
            Ok(Arc::new(configured(builder, settings, set)?.build()?))
        }
        Cloud::Azure => {
            let builder =
                MicrosoftAzureBuilder::from_env().with_container_name(name).with_retry(retry);
            let set = |b: MicrosoftAzureBuilder, key, value| b.with_config(key, value);
            Ok(Arc::new(configured(builder, settings, set)?.build()?))
        }
    }
}

/// Puts the options of the settings over what the environment says.
fn configured<B, K: FromStr<Err = object_store::Error>>(
    builder: B,
    settings: &Snapshots,
    set: impl Fn(B, K, String) -> B,
) -> Result<B, object_store::Error> {
    settings.options().try_fold(builder, |builder, (name, value)| {
        Ok(set(builder, name.parse()?, value.expose().to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, option_names};
    use object_store::{aws::AmazonS3ConfigKey, azure::AzureConfigKey, gcp::GoogleConfigKey};

    fn settings(sets: &[&str]) -> Snapshots {
        let sets = sets.iter().map(|set| format!("snapshots.{set}"));
        let sets: Vec<String> = sets.chain(["allow_literal_secrets=true".to_owned()]).collect();
        let nowhere = std::path::Path::new("/dev/null");
        Settings::load(Some(nowhere), std::iter::empty(), &sets).unwrap().snapshots
    }

    #[test]
    fn every_option_is_known_to_its_service() {
        for name in option_names(Cloud::S3) {
            assert!(AmazonS3ConfigKey::from_str(name).is_ok(), "{name}");
        }
        for name in option_names(Cloud::Google) {
            assert!(GoogleConfigKey::from_str(name).is_ok(), "{name}");
        }
        for name in option_names(Cloud::Azure) {
            assert!(AzureConfigKey::from_str(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn urls_open_their_kind_of_store() {
        for (sets, kind) in [
            (&["store=s3://bucket", "options.region=eu-west-1"][..], "AmazonS3(bucket)"),
            (&["store=s3://bucket/a/b"], "PrefixObjectStore(a/b)"),
            (&["store=gs://bucket", "options.skip_signature=true"], "GoogleCloudStorage(bucket)"),
            (
                &["store=az://container", "options.account_name=account"],
                "MicrosoftAzure { account: account, container: container }",
            ),
        ] {
            let opened = open(&settings(sets), Patience::Waits).unwrap();
            let text = opened.objects.to_string();
            assert!(text.contains(kind), "{text}");
            assert!(opened.parts);
            assert_eq!(opened.shown, sets[0].trim_start_matches("store=").trim_end_matches('/'));
        }
    }

    #[test]
    fn a_store_that_cannot_be_described_is_told_without_its_options() {
        // Azure without an account.
        let error = open(&settings(&["store=az://container"]), Patience::Waits).err().unwrap();
        assert_eq!(error.cause(), Cause::Settings);
        assert!(error.to_string().contains("az://container: cannot open it"), "{error}");
        assert!(error.to_string().to_lowercase().contains("account"), "{error}");
        let sets = ["store=gs://bucket", "options.service_account_key={canary"];
        let error = open(&settings(&sets), Patience::Waits).err().unwrap();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
