//! The permissions that `deploy/kafka/acls.sh` grants, against a broker with an authorizer: they are
//! enough, and each of them is needed.

use super::{
    cluster::{self, variable},
    daemon::{Daemon, Pipeline},
    groups::produce_cards,
    topic,
};
use millstream::kafka::{self, ClientProperties, admin::Admin};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// A pipeline whose principal may do only what an ACL grants.
struct Restricted {
    pipeline: Pipeline,
    settings: String,
}

/// One line of `acls.sh --print`: resource, name, pattern, operation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    resource: String,
    name: String,
    pattern: String,
    operation: String,
}

impl Restricted {
    fn new() -> Self {
        let pipeline = Pipeline::copy("card-features.yaml", 2, |text| {
            text + "expectations:\n  every: 1m\n  quality_topic: q\n  expect: [{ records: { min: 1 } }]\n"
        });
        let path = pipeline.directory.path().join("millstream.yaml");
        let text = format!(
            "kafka:\n  bootstrap_servers: {}\n  properties:\n    security.protocol: SASL_SSL\n    \
             sasl.mechanism: SCRAM-SHA-512\n    sasl.username: {}\n    ssl.ca.location: {}\n  \
             secrets:\n    sasl.password: {{ env: SCRAM_PASSWORD }}\nstartup_timeout: 20s\n",
            variable("KAFKA_TLS_BOOTSTRAP"),
            variable("KAFKA_ACL_USER"),
            variable("KAFKA_TLS_CA"),
        );
        std::fs::write(&path, text).unwrap();
        Self { pipeline, settings: path.to_str().unwrap().to_owned() }
    }

    /// Runs `deploy/kafka/acls.sh` for the pipeline and returns what it prints.
    fn acls(&self, arguments: &[&str]) -> String {
        let Pipeline { name, input, output, dead_letter, quality, .. } = &self.pipeline;
        let principal = format!("User:{}", variable("KAFKA_ACL_USER"));
        let printed = Command::new("deploy/kafka/acls.sh")
            .args(["--bootstrap", &cluster::bootstrap(), "--principal", &principal])
            .args(["--pipeline", name, "--input", input, "--output", output])
            .args(["--dead-letter", dead_letter, "--quality", quality])
            .args(arguments)
            .env("KAFKA_ACLS", format!("tests/kafka/broker.sh tool {ACL_COMMAND}"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        String::from_utf8(printed.stdout).unwrap()
    }

    fn grants(&self, arguments: &[&str]) -> Vec<Grant> {
        let text = self.acls(&[&["--print"], arguments].concat());
        let grant = |line: &str| {
            let [resource, name, pattern, operation] =
                line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
            Grant { resource, name, pattern, operation }
        };
        text.lines().map(grant).collect()
    }

    /// Exit code and all that `millstream ..` says.
    fn millstream(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .args(arguments)
            .arg(&self.pipeline.file)
            .args(["--settings", &self.settings])
            .env("SCRAM_PASSWORD", variable("KAFKA_TLS_PASSWORD"))
            .current_dir(self.pipeline.directory.path())
            .output()
            .unwrap();
        let texts =
            [&output.stdout, &output.stderr].map(|t| String::from_utf8_lossy(t).into_owned());
        (output.status.code().unwrap(), texts.concat())
    }

    /// Exit code and log of `millstream run --until-end`.
    fn run(&self) -> (Option<i32>, String) {
        let password = variable("KAFKA_TLS_PASSWORD");
        let arguments = ["--settings", &self.settings, "--until-end", "--set", "workers=1"];
        let environment = [("SCRAM_PASSWORD", password.as_str())];
        let mut daemon = Daemon::start_with(&self.pipeline, &arguments, &environment);
        let code = daemon.wait(90).code();
        (code, daemon.log())
    }

    fn client() -> Vec<(String, String)> {
        [
            ("bootstrap.servers", variable("KAFKA_TLS_BOOTSTRAP")),
            ("security.protocol", "SASL_SSL".to_owned()),
            ("sasl.mechanism", "SCRAM-SHA-512".to_owned()),
            ("sasl.username", variable("KAFKA_ACL_USER")),
            ("sasl.password", variable("KAFKA_TLS_PASSWORD")),
            ("ssl.ca.location", variable("KAFKA_TLS_CA")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The principal begins a transaction as a worker of the pipeline does, and writes in it.
    fn transact(&self) -> Result<(), KafkaError> {
        let mut config = cluster::client();
        for (name, value) in Self::client() {
            config.set(name, value);
        }
        config.set("transactional.id", format!("{}-millstream-0-1", self.pipeline.name));
        let producer: BaseProducer = config.create()?;
        let timeout = Duration::from_secs(20);
        producer.init_transactions(timeout)?;
        producer.begin_transaction()?;
        producer.send(BaseRecord::<[u8], _>::to(&self.pipeline.output).payload("x")).unwrap();
        producer.commit_transaction(timeout)
    }

    /// What `check --connect` asks where delivery is exactly once.
    fn may_transact(&self) -> Result<(), KafkaError> {
        let config = kafka::admin_config(&ClientProperties::new(Self::client()));
        let admin = Admin::connect(&config, Duration::from_secs(20)).unwrap();
        admin.may_transact(&format!("{}-check", self.pipeline.name))
    }
}

const ACL_COMMAND: &str = "org.apache.kafka.tools.AclCommand";

/// Adds or removes one permission.
fn change(verb: &[&str], grant: &Grant) {
    let done = Command::new("tests/kafka/broker.sh")
        .args(["tool", ACL_COMMAND, "--bootstrap-server", &cluster::bootstrap()])
        .args(verb)
        .args(["--allow-principal", &format!("User:{}", variable("KAFKA_ACL_USER"))])
        .args(["--operation", &grant.operation])
        .args([&format!("--{}", grant.resource), &grant.name])
        .args(["--resource-pattern-type", &grant.pattern])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Runs `test` with one permission less. The broker hears of it a moment later than the controller.
fn without(grant: &Grant, test: impl Fn() -> Result<(), String>) {
    change(&["--remove", "--force"], grant);
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(reason) = test() {
        assert!(Instant::now() < deadline, "without {grant:?}: {reason}");
        thread::sleep(Duration::from_millis(200));
    }
    change(&["--add"], grant);
}

fn unauthorised(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed)
}

fn fails((code, said): (i32, String), with: &[&str]) -> Result<(), String> {
    let all = with.iter().all(|part| said.contains(part));
    if code == 1 && all { Ok(()) } else { Err(format!("{code}, expected {with:?}:\n{said}")) }
}

#[test]
fn the_permissions_of_acls_sh_are_enough_and_each_is_needed() {
    let restricted = Restricted::new();
    let Pipeline { name, input, dead_letter, .. } = &restricted.pipeline;
    produce_cards(input, 3, 500);
    let producer = cluster::producer();
    producer.send(BaseRecord::<[u8], _>::to(input).payload("no JSON")).unwrap();
    cluster::flush(&producer);
    let nothing = restricted.millstream(&["check", "--connect"]);
    fails(nothing, &[&format!("topic `{input}`: Read is not permitted")]).unwrap();

    restricted.acls(&[]);
    let (code, log) = restricted.run();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(topic::dump(&restricted.pipeline.output).len(), 500);
    let (code, said) = restricted.millstream(&["check", "--connect"]);
    assert_eq!(code, 0, "{said}");
    restricted.transact().unwrap();
    restricted.may_transact().unwrap();
    let read = format!("topic `{dead_letter}`: Read is not permitted");
    fails(restricted.millstream(&["dlq", "ls"]), &[&read]).unwrap();

    restricted.acls(&["--dlq"]);
    assert_eq!(restricted.millstream(&["dlq", "ls"]).0, 0);
    let (code, said) = restricted.millstream(&["dlq", "replay"]);
    assert_eq!((code, said.as_str()), (0, "sent 1, refused 0\n"));

    let grants = restricted.grants(&["--dlq"]);
    assert_eq!(grants.len(), 12, "{grants:?}");
    for grant in &grants {
        let Grant { resource, name: of, operation, .. } = grant;
        let is = |topic: &str, needed: &str| of == topic && operation == needed;
        let refused = format!("{resource} `{of}`: {operation} is not permitted");
        let said = [refused.as_str(), "acls.sh"];
        if resource == "transactional-id" {
            assert_eq!(*of, format!("{name}-"));
            without(grant, || match (restricted.transact(), restricted.may_transact()) {
                (Err(one), Err(other)) if [&one, &other].into_iter().all(unauthorised) => Ok(()),
                other => Err(format!("{other:?}")),
            });
        } else if is(input, "Write") {
            without(grant, || fails(restricted.millstream(&["dlq", "replay"]), &said));
        } else if is(dead_letter, "Read") {
            without(grant, || fails(restricted.millstream(&["dlq", "ls"]), &said));
        } else {
            without(grant, || {
                fails(restricted.millstream(&["check", "--connect"]), &said)?;
                let (code, log) = restricted.run();
                fails((code.unwrap_or(-1), log), &said)
            });
        }
    }
    assert_eq!(restricted.millstream(&["check", "--connect"]).0, 0, "all are there again");
}

#[test]
fn topics_are_created_only_where_that_is_granted() {
    let mut restricted = Restricted::new();
    let missing = cluster::unique("missing");
    let text = std::fs::read_to_string(&restricted.pipeline.file).unwrap();
    let text = text.replace(&restricted.pipeline.output, &missing);
    std::fs::write(&restricted.pipeline.file, text).unwrap();
    restricted.pipeline.output.clone_from(&missing);
    restricted.acls(&["--create-topics"]);
    let check = || restricted.millstream(&["check", "--set", "create_topics=true", "--connect"]);
    let (code, said) = check();
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&format!("topic `{missing}`: missing, `run` creates it with 2")),
        "{said}"
    );
    let grant = restricted.grants(&["--create-topics"]).into_iter();
    let grant = grant.filter(|g| g.name == missing && g.operation == "Create").collect::<Vec<_>>();
    without(&grant[0], || fails(check(), &[&format!("cannot create topic `{missing}`")]));
}
