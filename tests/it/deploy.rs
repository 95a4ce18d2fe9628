//! What `deploy/` hands to millstream: the settings and the pipeline of the Kubernetes manifest.

use millstream::{
    pipeline::{Definition, Overrides},
    registry::Node,
    settings::Settings,
};
use std::path::Path;

/// The documents of the manifest.
fn manifest() -> Vec<Node> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes/statefulset.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n---\n").map(|document| Node::parse(document).unwrap()).collect()
}

fn of_kind<'d>(documents: &'d [Node], kind: &str) -> &'d Node {
    let is = |node: &&Node| node.get("kind").and_then(Node::as_str) == Some(kind);
    documents.iter().find(is).expect(kind)
}

/// The files of the configuration in a directory, and the secrets that its settings name.
fn mounted(documents: &[Node]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let data = of_kind(documents, "ConfigMap").get("data").unwrap().as_map().unwrap();
    assert_eq!(data.len(), 3);
    for (name, _, content) in data {
        let secrets = directory.path().to_str().unwrap();
        let text = content.as_str().unwrap().replace("/run/secrets/kafka", secrets);
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    std::fs::write(directory.path().join("password"), "of the test").unwrap();
    directory
}

#[test]
fn the_settings_of_the_manifest_are_read() {
    let directory = mounted(&manifest());
    let file = directory.path().join("millstream.yaml");
    let instance = ("MILLSTREAM__INSTANCE".to_owned(), "millstream-0".to_owned());
    let settings = Settings::load(Some(&file), std::iter::once(instance), &[]).unwrap();
    assert_eq!(settings.instance.as_deref(), Some("millstream-0"));
    assert_eq!(settings.listen.to_string(), "0.0.0.0:9464");
    assert!(!settings.allow_insecure && !settings.tls_verification_disabled());
    let password = settings.consumer_properties().find(|(name, _)| name == "sasl.password");
    assert_eq!(password.unwrap().1.expose(), "of the test");
}

#[test]
fn the_pipeline_of_the_manifest_is_valid() {
    let directory = mounted(&manifest());
    let file = directory.path().join("pipeline.yaml");
    let definition = Definition::load(&file, Overrides::default()).unwrap();
    assert!(definition.spec().dead_letter.is_some());
}
