//! The options of bucket stores: which there are, which are secrets, what they mean for security.

use super::super::property::Property;
use super::{Cloud, Snapshots, Store};
use crate::registry::{Position, Problem};

/// The options of each service that make sense for snapshots, by the names that `object_store`
/// gives them without its prefixes. A directory has none.
const OPTIONS: &[(&str, &[Cloud])] = &[
    ("access_key_id", &[Cloud::S3]),
    ("account_key", &[Cloud::Azure]),
    ("account_name", &[Cloud::Azure]),
    ("allow_http", ALL),
    ("allow_invalid_certificates", ALL),
    ("application_credentials", &[Cloud::Google]),
    ("authority_host", &[Cloud::Azure]),
    ("base_url", &[Cloud::Google]),
    ("bearer_token", &[Cloud::Google, Cloud::Azure]),
    ("checksum_algorithm", &[Cloud::S3]),
    ("client_id", &[Cloud::Azure]),
    ("client_secret", &[Cloud::Azure]),
    ("conditional_put", &[Cloud::S3]),
    ("connect_timeout", ALL),
    ("endpoint", &[Cloud::S3, Cloud::Azure]),
    ("federated_token_file", &[Cloud::Azure]),
    ("metadata_endpoint", &[Cloud::S3]),
    ("msi_endpoint", &[Cloud::Azure]),
    ("object_id", &[Cloud::Azure]),
    ("proxy_ca_certificate", ALL),
    ("proxy_excludes", ALL),
    ("proxy_url", ALL),
    ("region", &[Cloud::S3]),
    ("request_payer", &[Cloud::S3]),
    ("role_arn", &[Cloud::S3]),
    ("role_session_name", &[Cloud::S3]),
    ("sas_token", &[Cloud::Azure]),
    ("secret_access_key", &[Cloud::S3]),
    ("server_side_encryption", &[Cloud::S3]),
    ("service_account", &[Cloud::Google]),
    ("service_account_key", &[Cloud::Google]),
    ("session_token", &[Cloud::S3]),
    ("skip_signature", ALL),
    ("sse_bucket_key_enabled", &[Cloud::S3]),
    ("sse_customer_key_base64", &[Cloud::S3]),
    ("sse_kms_key_id", &[Cloud::S3]),
    ("tenant_id", &[Cloud::Azure]),
    ("timeout", ALL),
    ("unsigned_payload", &[Cloud::S3]),
    ("use_emulator", &[Cloud::Azure]),
    ("virtual_hosted_style_request", &[Cloud::S3]),
    ("web_identity_token_file", &[Cloud::S3]),
];
const ALL: &[Cloud] = &[Cloud::S3, Cloud::Google, Cloud::Azure];

/// Names of the options that a service has.
pub fn option_names(cloud: Cloud) -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter(move |(_, clouds)| clouds.contains(&cloud)).map(|(name, _)| *name)
}

/// Complains about an option that the store does not have.
pub(super) fn find(store: &Store, key: &str, at: Position) -> Result<(), Problem> {
    let Store::Bucket { cloud, .. } = store else {
        return Err(Problem::new(at, "an option, but the store is a directory")
            .expected("no options, or a bucket in `snapshots.store`"));
    };
    if option_names(*cloud).any(|name| name == key) {
        return Ok(());
    }
    Err(Problem::new(at, format!("unknown key `{key}`")).expected_one_of(key, option_names(*cloud)))
}

/// True for options that let their reader in. A proxy's URL may hold a password.
pub(super) fn is_secret(name: &str) -> bool {
    const SECRETS: [&str; 9] = [
        "access_key_id",
        "account_key",
        "bearer_token",
        "client_secret",
        "proxy_url",
        "sas_token",
        "secret_access_key",
        "service_account_key",
        "session_token",
    ];
    SECRETS.contains(&name) || name == "sse_customer_key_base64"
}

/// What the options mean for security.
pub(in super::super) struct Findings {
    /// Sentences to say at every start.
    pub(in super::super) warnings: Vec<&'static str>,
    /// The store is not asked to prove who it is.
    pub(in super::super) tls_verification_disabled: bool,
}

/// Judges the options.
pub(in super::super) fn judge(snapshots: &Snapshots) -> Findings {
    let on = |name| {
        let value = snapshots.options.get(name).map_or("", Property::expose).to_lowercase();
        ["true", "1", "yes", "on", "y"].contains(&value.as_str())
    };
    let mut warnings = Vec::new();
    if on("allow_http") {
        warnings
            .push("snapshots may travel over an open connection: `snapshots.options.allow_http`");
    }
    let tls_verification_disabled = on("allow_invalid_certificates");
    if tls_verification_disabled {
        warnings.push("TLS certificates of the snapshot store are not verified");
    }
    Findings { warnings, tls_verification_disabled }
}
