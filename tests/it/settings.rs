//! Settings: which layer wins, what a mistake reads like, and that no secret is ever shown.

use millstream::settings::{Cloud, LogFormat, Settings, Store};
use std::path::{Path, PathBuf};

const CANARY: &str = "canary-3f1c9d";

/// A settings file that goes with the test.
struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("millstream.yaml");
    std::fs::write(&path, text).unwrap();
    File { _dir: dir, path }
}

fn load(text: &str, environment: &[(&str, &str)], sets: &[&str]) -> Result<Settings, String> {
    let file = file(text);
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    let directory = format!("{}/", file.path.parent().unwrap().display());
    Settings::load(Some(&file.path), environment, &sets)
        .map_err(|problem| problem.to_string().replace(&directory, ""))
}

fn property(settings: &Settings, name: &str) -> Option<String> {
    settings.consumer_properties().find(|(n, _)| n == name).map(|(_, p)| p.expose().to_owned())
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let defaults = load("", &[], &[]).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/millstream.yaml");
    let shipped = Settings::load(Some(&shipped), std::iter::empty(), &[]).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{defaults:?}"));
    assert_eq!(defaults.commit_interval.to_string(), "100ms");
    assert_eq!(defaults.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(defaults.kafka.bootstrap_servers, "localhost:9092");
    assert!(!defaults.create_topics);
    assert_eq!(defaults.snapshots.store, Store::Directory("snapshots".into()));
    assert_eq!(defaults.snapshots.interval.to_string(), "30s");
    assert_eq!((defaults.snapshots.records.get(), defaults.snapshots.keep.get()), (1_000_000, 2));
    assert_eq!(defaults.snapshots.options().count(), 0);
}

#[test]
fn environment_wins_over_file_and_set_over_both() {
    let text = "kafka: { bootstrap_servers: from-file:1 }\nworkers: 1\ncommit_interval: 1s\n";
    let environment = [
        ("MILLSTREAM__KAFKA__BOOTSTRAP_SERVERS", "from-environment:2"),
        ("MILLSTREAM__WORKERS", "2"),
        ("MILLSTREAM_PORT", "tcp://not-ours"),
    ];
    let settings = load(text, &environment, &[]).unwrap();
    assert_eq!(settings.kafka.bootstrap_servers, "from-environment:2");
    assert_eq!(settings.workers.get(), 2);
    assert_eq!(settings.commit_interval.to_string(), "1s");
    let sets = ["kafka.bootstrap_servers=from-set:3", "log.format=json", "create_topics=true"];
    let settings = load(text, &environment, &sets).unwrap();
    assert_eq!(settings.kafka.bootstrap_servers, "from-set:3");
    assert_eq!(settings.log.format, LogFormat::Json);
    assert!(settings.create_topics);
}

#[test]
fn properties_pass_through_from_every_layer() {
    let text = "kafka:\n  properties: { linger.ms: 5, client.rack: a }\n  \
                consumer_properties: { fetch.max.bytes: 1000, client.rack: b }\n";
    let environment = [
        ("MILLSTREAM__KAFKA__PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512"),
        ("MILLSTREAM__KAFKA__PROPERTIES__LOG_LEVEL", "4"),
    ];
    let sets = ["kafka.properties.linger.ms=20", "kafka.producer_properties.batch.size=7"];
    let settings = load(text, &environment, &sets).unwrap();
    assert_eq!(property(&settings, "linger.ms").as_deref(), Some("20"));
    assert_eq!(property(&settings, "sasl.mechanism").as_deref(), Some("SCRAM-SHA-512"));
    assert_eq!(property(&settings, "log_level").as_deref(), Some("4"));
    assert_eq!(property(&settings, "client.rack").as_deref(), Some("b"));
    assert_eq!(property(&settings, "bootstrap.servers").as_deref(), Some("localhost:9092"));
    assert_eq!(property(&settings, "batch.size"), None);
    let producer: Vec<String> = settings.producer_properties().map(|(name, _)| name).collect();
    assert!(producer.contains(&"batch.size".to_owned()));
    assert!(!producer.contains(&"fetch.max.bytes".to_owned()));
}

#[test]
fn mistakes_name_writer_section_and_nearest_key() {
    let error = |text, env: &[(&str, &str)], sets: &[&str]| load(text, env, sets).unwrap_err();
    let cases = [
        (
            error("kafka:\n  bootstrap_server: a:1\n", &[], &[]),
            "millstream.yaml:2:3: unknown key `bootstrap_server` in `kafka`; expected one of \
             `bootstrap_servers`, `properties`, `consumer_properties`, `producer_properties`, \
             `secrets`; did you mean `bootstrap_servers`?",
        ),
        (
            error("", &[("MILLSTREAM__LOG__LEVLE", "x")], &[]),
            "environment variable MILLSTREAM__LOG__LEVLE: unknown key `levle` in `log`; expected \
             one of `level`, `format`; did you mean `level`?",
        ),
        (
            error("workers: 2\n", &[], &["workers=none"]),
            "--set workers: `workers`: wrong value: string \"none\"; expected a whole number of \
             at least 1",
        ),
        (
            error("a: 1\nlisten: nowhere\n", &[], &["a=~"]),
            "--set a: unknown key `a`; expected one of",
        ),
        (
            error("\nlisten: nowhere\n", &[], &[]),
            "millstream.yaml:2:1: `listen`: wrong value: string \"nowhere\"; expected an address \
             such as 127.0.0.1:9464",
        ),
        (
            error("log: { level: loud=louder }\n", &[], &[]),
            "millstream.yaml:1:8: `log.level`: wrong value: `loud=louder`; expected a level",
        ),
        (
            error("log: { format: xml }\n", &[], &[]),
            "millstream.yaml:1:8: `log.format`: unknown value `xml`; expected one of `auto`, \
             `json`, `text`",
        ),
        (
            error("commit_interval: 0s\n", &[], &[]),
            "millstream.yaml:1:1: `commit_interval`: wrong value: `0us`; expected a duration of \
             at least 1ms",
        ),
        (
            error("", &[], &["batch_records=65537"]),
            "--set batch_records: `batch_records`: wrong value: 65537; expected a whole number up \
             to 65536",
        ),
        (error("workers: 1\nworkers: 2\n", &[], &[]), "millstream.yaml:2:1: key `workers` stands"),
        (error("- a\n", &[], &[]), "millstream.yaml:1:1: a list; expected a map of settings"),
        (error("instance: a b\n", &[], &[]), "millstream.yaml:1:1: `instance`: wrong value"),
        (error("kafka.a: b\n", &[], &[]), "millstream.yaml:1:1: unknown key `kafka.a`"),
        (error("", &[], &["workers"]), "--set without `=`; expected KEY=VALUE"),
    ];
    for (got, expected) in cases {
        assert!(got.starts_with(expected), "\n got      {got}\n expected {expected}");
    }
    let missing = Settings::load(Some(Path::new("/nowhere/x.yaml")), std::iter::empty(), &[]);
    assert!(missing.unwrap_err().to_string().starts_with("/nowhere/x.yaml: cannot read"));
}

#[test]
fn mistakes_about_snapshots_say_what_to_write_instead() {
    let error = |text, env: &[(&str, &str)]| load(text, env, &[]).unwrap_err();
    let cases = [
        (
            error("snapshots:\n  keep: 1\n", &[]),
            "millstream.yaml:2:3: `snapshots.keep`: wrong value: 1; expected a whole number of at \
             least 2, so that a damaged snapshot has one before it",
        ),
        (
            error("snapshots: { intervall: 1s }\n", &[]),
            "millstream.yaml:1:14: unknown key `intervall` in `snapshots`; expected one of \
             `store`, `interval`, `records`, `keep`, `options`, `secrets`; did you mean `interval`?",
        ),
        (
            error("snapshots: { interval: 0s }\n", &[]),
            "millstream.yaml:1:14: `snapshots.interval`: wrong value: `0us`; expected a duration \
             of at least 1ms",
        ),
        (
            error("", &[("MILLSTREAM__SNAPSHOTS__STORE", "ftp://host/x")]),
            "environment variable MILLSTREAM__SNAPSHOTS__STORE: `snapshots.store`: not a kind of \
             store; expected a directory, `file:///DIRECTORY`, `s3://BUCKET/PREFIX`, \
             `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`",
        ),
        (
            error("snapshots: { store: 's3://b', options: { endpiont: x } }\n", &[]),
            "millstream.yaml:1:42: unknown key `endpiont` in `snapshots.options`; expected one of \
             `access_key_id`, `allow_http`",
        ),
        (
            error("snapshots: { options: { region: x } }\n", &[]),
            "millstream.yaml:1:25: `snapshots.options.region`: an option, but the store is a \
             directory; expected no options, or a bucket in `snapshots.store`",
        ),
    ];
    for (got, expected) in cases {
        assert!(got.starts_with(expected), "\n got      {got}\n expected {expected}");
    }
}

#[test]
fn what_millstream_owns_is_refused_with_the_way_to_say_it() {
    for (name, instead) in [
        ("group.id", "the name of the pipeline"),
        ("enable.auto.commit", "after the vectors are acknowledged"),
        ("auto.offset.reset", "`source.start`"),
        ("isolation.level", "only committed records"),
        ("transactional.id", "`instance`"),
        ("enable.idempotence", "always idempotent"),
        ("bootstrap.servers", "`kafka.bootstrap_servers`"),
    ] {
        let error = load("", &[], &[&format!("kafka.properties.{name}=x")]).unwrap_err();
        assert!(error.contains(instead) && error.contains(name), "{error}");
    }
}

#[test]
fn insecure_settings_need_a_word() {
    let text = "kafka: { properties: { security.protocol: SASL_PLAINTEXT, \
                sasl.mechanism: PLAIN } }\n";
    let error = load(text, &[], &[]).unwrap_err();
    assert!(error.contains("open connection") && error.contains("allow_insecure"), "{error}");
    let allowed = load(text, &[], &["allow_insecure=true"]).unwrap();
    assert_eq!(allowed.warnings().len(), 1, "{:?}", allowed.warnings());
    let off = "kafka: { properties: { security.protocol: ssl, \
               enable.ssl.certificate.verification: false } }\n";
    let off = load(off, &[], &[]).unwrap();
    assert!(off.tls_verification_disabled());
    assert!(off.warnings()[0].contains("not verified"), "{:?}", off.warnings());
}

#[test]
fn secrets_come_from_files_and_environment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, format!("{CANARY}\n")).unwrap();
    let text = format!(
        "kafka: {{ secrets: {{ sasl.password: {{ file: {} }}, ssl.key.password: {{ env: KEY }} }} }}",
        path.display()
    );
    let settings = load(&text, &[("KEY", "second")], &[]).unwrap();
    assert_eq!(property(&settings, "sasl.password").as_deref(), Some(CANARY));
    assert_eq!(property(&settings, "ssl.key.password").as_deref(), Some("second"));
    assert!(settings.warnings().iter().all(|w| !w.contains(CANARY)));
    let error = load(&text, &[], &[]).unwrap_err();
    assert!(error.contains("environment variable KEY is not set"), "{error}");
    let set = format!("kafka.secrets.sasl.password.file={}", path.display());
    assert_eq!(
        property(&load("", &[], &[&set]).unwrap(), "sasl.password").as_deref(),
        Some(CANARY)
    );
    let variable = ("MILLSTREAM__KAFKA__SECRETS__SASL_PASSWORD__ENV", "KEY");
    let settings = load("", &[variable, ("KEY", "third")], &[]).unwrap();
    assert_eq!(property(&settings, "sasl.password").as_deref(), Some("third"));
    let direct = ("MILLSTREAM__KAFKA__PROPERTIES__SASL_PASSWORD", CANARY);
    assert_eq!(
        property(&load("", &[direct], &[]).unwrap(), "sasl.password").as_deref(),
        Some(CANARY)
    );
}

#[test]
fn a_snapshot_store_is_a_directory_or_a_bucket() {
    let store = |text: &str| load("", &[], &[&format!("snapshots.store={text}")]);
    let bucket = |cloud, name: &str, prefix: &str| {
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Store::Bucket { cloud, name, prefix }
    };
    for (text, expected) in [
        ("/var/lib/millstream", Store::Directory("/var/lib/millstream".into())),
        ("file:///var/lib/x", Store::Directory("/var/lib/x".into())),
        ("s3://bucket", bucket(Cloud::S3, "bucket", "")),
        ("gs://bucket/a/b/", bucket(Cloud::Google, "bucket", "a/b")),
        ("az://box/a", bucket(Cloud::Azure, "box", "a")),
    ] {
        assert_eq!(store(text).unwrap().snapshots.store, expected, "{text}");
    }
    for text in [
        "",
        "file://host/x",
        "file:///a%20b",
        "s3://",
        "s3:///a",
        "s3://user:CANARY@bucket/a",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket?token=CANARY",
        "https://account.blob.core.windows.net/box?sig=CANARY",
    ] {
        let error = store(&text.replace("CANARY", CANARY)).unwrap_err();
        assert!(error.contains("`snapshots.store`") && !error.contains(CANARY), "{error}");
    }
}

#[test]
fn secrets_of_a_bucket_come_from_files_and_environment() {
    let text = "snapshots:\n  store: s3://bucket\n  options: { region: here, allow_http: true }\n  \
                secrets: { secret_access_key: { env: KEY } }\n";
    let settings = load(text, &[("KEY", CANARY)], &[]).unwrap();
    let options: Vec<(String, String)> = settings
        .snapshots
        .options()
        .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
        .collect();
    let expected = [("allow_http", "true"), ("region", "here"), ("secret_access_key", CANARY)];
    assert_eq!(options, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let shown = format!("{settings:?} {:?}", settings.warnings());
    assert!(!shown.contains(CANARY) && shown.contains("here"), "{shown}");
    assert!(settings.warnings()[0].contains("open connection"), "{:?}", settings.warnings());
    let variable = ("MILLSTREAM__SNAPSHOTS__OPTIONS__SECRET_ACCESS_KEY", CANARY);
    let direct = load("snapshots: { store: 's3://b' }", &[variable], &[]).unwrap();
    assert!(!format!("{direct:?}").contains(CANARY));
    assert_eq!(direct.snapshots.options().count(), 1);
    let unverified =
        ["snapshots.store=s3://b", "snapshots.options.allow_invalid_certificates=true"];
    assert!(load("", &[], &unverified).unwrap().tls_verification_disabled());
}

#[test]
fn no_error_repeats_a_secret() {
    let wrong = [
        "snapshots: { store: 's3://b', options: { secret_access_key: CANARY } }",
        "snapshots: { store: 's3://b', options: { session_token: CANARY } }",
        "snapshots: { store: 'gs://b', options: { service_account_key: CANARY } }",
        "snapshots: { store: 'az://b', options: { account_key: CANARY } }",
        "snapshots: { store: 'az://b', options: { sas_token: CANARY } }",
        "snapshots: { store: 's3://b', options: { proxy_url: CANARY } }",
        "snapshots: { store: 's3://b', options: { region: [CANARY] } }",
        "snapshots: { store: 's3://b', options: CANARY }",
        "snapshots: { store: 's3://b', secrets: { secret_access_key: CANARY } }",
        "snapshots: { store: 's3://b', secrets: { password: { env: KEY } } }",
        "snapshots: { secrets: { secret_access_key: { env: KEY } } }",
        "kafka: { properties: { sasl.password: CANARY } }",
        "kafka: { properties: { ssl.key.pem: CANARY } }",
        "kafka: { properties: { sasl.oauthbearer.client.secret: CANARY } }",
        "kafka: { properties: CANARY }",
        "kafka: { producer_properties: [CANARY] }",
        "kafka: { properties: { sasl.password: [CANARY] }, }\nallow_literal_secrets: true",
        "kafka: { secrets: CANARY }",
        "kafka: { secrets: { sasl.password: CANARY } }",
        "kafka: { secrets: { sasl.password: { value: CANARY } } }",
        "kafka: { secrets: { sasl.password: { file: [CANARY] } } }",
        "kafka: { secrets: { sasl.password: { env: KEY, file: CANARY } } }",
        "kafka: { sasl.password: CANARY }",
        "sasl: { password: CANARY }",
        "kafka: { properties: { sasl.password: CANARY ",
    ];
    for text in wrong {
        let error = load(&text.replace("CANARY", CANARY), &[("KEY", CANARY)], &[]).unwrap_err();
        assert!(!error.contains(CANARY), "{text}: {error}");
    }
    for set in ["kafka.properties.sasl.password=CANARY", "CANARY", "kafka.sasl.password=CANARY"] {
        let error = load("", &[], &[&set.replace("CANARY", CANARY)]).unwrap_err();
        assert!(!error.contains(CANARY), "{set}: {error}");
    }
}

#[test]
fn debug_and_warnings_show_no_secret() {
    let text = format!(
        "allow_literal_secrets: true\nallow_insecure: true\nkafka:\n  properties:\n    \
         security.protocol: SASL_PLAINTEXT\n    sasl.mechanism: PLAIN\n    \
         sasl.username: {CANARY}-user\n    sasl.password: {CANARY}\n    \
         ssl.key.pem: {CANARY}\n    sasl.oauthbearer.config: {CANARY}\n    \
         some.future.property: {CANARY}\n    linger.ms: 17\n  \
         producer_properties: {{ ssl.keystore.password: {CANARY} }}\n  \
         secrets: {{ ssl.key.password: {{ env: KEY }} }}\n"
    );
    let settings = load(&text, &[("KEY", CANARY)], &[]).unwrap();
    let shown = format!("{settings:?} {settings:#?} {:?}", settings.warnings());
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("17") && shown.contains("***"), "{shown}");
    let each: Vec<String> = settings
        .producer_properties()
        .chain(settings.consumer_properties())
        .map(|(name, value)| format!("{name}={value} {value:?}"))
        .collect();
    assert!(!each.concat().contains(CANARY), "{each:?}");
    assert_eq!(property(&settings, "ssl.key.password").as_deref(), Some(CANARY));
}
