//! The ValidatingAdmissionPolicy, before the API server.

use hookwright::api::project_webhook::ProjectWebhook;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use url::Url;

use crate::cluster::{apply, dry_run, namespace, shared};
use crate::helm::render;
use crate::support::{DEADLINE, random};

fn webhook(namespace: &str, receiver: &Value) -> Value {
    let mut spec = json!({
        "connectionRef": { "name": "app-maker" },
        "organizationId": "64b0c0ffee00000000000001",
        "projectId": "64b0c0ffee00000000000002",
        "events": ["deployment.build.created"],
    });
    crate::support::merge(&mut spec, receiver.clone());
    json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook",
        "metadata": { "name": "builds", "namespace": namespace }, "spec": spec,
    })
}

fn url(url: &str) -> Value {
    json!({ "url": url })
}

fn from_secret() -> Value {
    json!({ "urlFrom": { "secretKeyRef": { "name": "receiver", "key": "url" } } })
}

/// What the API server says to a receiver: nothing, or why not.
async fn said(client: &Client, namespace: &str, receiver: &Value) -> Result<(), String> {
    dry_run(client, &webhook(namespace, receiver)).await.map(drop).map_err(|error| error.to_string())
}

/// Applies the policies of these rules, and returns once each is enforced in its namespace. Gone with the control plane:
/// each selects by namespace.
async fn enforce(client: &Client, rules: &Value, namespaces: &[&str]) {
    let values = json!({
        "fullnameOverride": random("chart"), "policy": { "receivers": { "enabled": true, "rules": rules } },
    });
    for object in render("hw", &values) {
        if object["kind"].as_str().is_some_and(|kind| kind.starts_with("ValidatingAdmissionPolicy")) {
            apply(client, &object).await.unwrap();
        }
    }
    let enforced = async {
        for namespace in namespaces {
            // The API server compiles a policy some time after it took it.
            while said(client, namespace, &url("https://not-enforced-yet.example.net/")).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    };
    tokio::time::timeout(DEADLINE, enforced).await.expect("the policy is enforced in time");
}

#[tokio::test]
async fn a_receiver_is_possible_only_on_the_hosts_of_its_namespaces_rule() {
    let client = shared().await;
    let (shop, other) = (namespace(&client, json!({})).await, namespace(&client, json!({ "team": "a" })).await);
    let free = namespace(&client, json!({})).await;
    let rules = json!([
        { "name": "shop", "namespaces": [shop], "hosts": ["hooks.example.com", "*.hooks.example.com"] },
        { "name": "by-label", "hosts": ["gateway.example.com"],
          "namespaceSelector": { "matchLabels": { "team": "a", "kubernetes.io/metadata.name": other } } },
    ]);
    enforce(&client, &rules, &[&shop, &other]).await;

    said(&client, &shop, &url("https://hooks.example.com/builds")).await.unwrap();
    said(&client, &other, &url("https://gateway.example.com/builds")).await.unwrap();
    let refused = said(&client, &shop, &url("https://gateway.example.com/builds")).await.unwrap_err();
    assert!(refused.contains("receiver gateway.example.com is not possible in this namespace; policy"), "{refused}");
    assert!(refused.contains("-receivers-shop allows: hooks.example.com, *.hooks.example.com"), "{refused}");
    said(&client, &other, &url("https://hooks.example.com/builds")).await.unwrap_err();

    let refused = said(&client, &shop, &from_secret()).await.unwrap_err();
    assert!(refused.contains("urlFrom is not possible in this namespace, because policy"), "{refused}");
    assert!(refused.contains("write spec.url with one of: hooks.example.com, *.hooks.example.com"), "{refused}");
    // Headers stay free, and so does a namespace that no rule selects.
    let header = json!([{ "name": "X-A", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }]);
    let with_header = json!({ "url": "https://hooks.example.com/builds", "headers": header });
    said(&client, &shop, &with_header).await.unwrap();
    for receiver in [url("https://gateway.example.com/builds"), from_secret()] {
        said(&client, &free, &receiver).await.unwrap();
    }
}

#[tokio::test]
async fn no_way_of_writing_a_url_gets_past_the_policy() {
    let client = shared().await;
    let shop = namespace(&client, json!({})).await;
    let hosts = ["hooks.example.com", "*.team.example.com", "127.0.0.1"];
    enforce(&client, &json!([{ "name": "shop", "namespaces": [shop], "hosts": hosts }]), &[&shop]).await;
    let table = [
        ("https://hooks.example.com", true),
        ("http://hooks.example.com/", true),
        ("https://HOOKS.example.com:8443/builds?x=1#y", true),
        ("https://user:password@hooks.example.com/", true),
        ("https://a.team.example.com/", true),
        ("https://127.0.0.1/", true),
        ("https://team.example.com/", false),
        ("https://a.b.team.example.com/", false),
        ("https://.team.example.com/", false),
        ("https://hooks.example.com.evil.net/", false),
        ("https://evilhooks.example.com/", false),
        ("https://hooksXexample.com/", false),
        ("https://hooks.example.com@evil.net/", false),
        ("https://hooks.example.com:443@evil.net/", false),
        ("https://evil.net/hooks.example.com", false),
        ("https://evil.net/@hooks.example.com", false),
        ("https://evil.net?@hooks.example.com/", false),
        ("https://evil.net#@hooks.example.com/", false),
        ("https://evil.net\\@hooks.example.com/", false),
        ("https://evil.net\\.team.example.com/", false),
        ("https://evil.net%2f.team.example.com/", false),
        ("https://evil.net%E3%80%82team.example.com/", false),
        ("https://evil.net%00.team.example.com/", false),
        ("https://[::1]/", false),
        ("https://[::ffff:127.0.0.1]/", false),
        ("https://hooks.example.com%20/", false),
        ("https://hooks.example.com:port/", false),
    ];
    let hosts = ["hooks.example.com", "a.team.example.com", "127.0.0.1"];
    for (text, expected) in table {
        let told = said(&client, &shop, &url(text)).await;
        assert_eq!(told.is_ok(), expected, "{text}: {told:?}");
        // The host that the operator reads is the one that the policy has judged.
        if expected {
            let url = Url::parse(text).unwrap();
            assert!(hosts.contains(&url.host_str().unwrap()), "{text}");
        }
    }
}

#[tokio::test]
async fn what_was_there_before_the_policy_can_still_be_suspended_and_deleted() {
    let client = shared().await;
    let shop = namespace(&client, json!({})).await;
    let mut old = webhook(&shop, &url("https://elsewhere.example.net/"));
    old["metadata"]["finalizers"] = json!(["hookwright.dev/finalizer"]);
    apply(&client, &old).await.unwrap();
    enforce(&client, &json!([{ "name": "shop", "namespaces": [shop], "hosts": ["hooks.example.com"] }]), &[&shop])
        .await;

    let api = Api::<ProjectWebhook>::namespaced(client.clone(), &shop);
    let change = |patch: Value| {
        let api = api.clone();
        async move { api.patch("builds", &PatchParams::default(), &Patch::Merge(patch)).await }
    };
    change(json!({ "spec": { "suspend": true, "deletionPolicy": "Orphan" } })).await.unwrap();
    let moved = change(json!({ "spec": { "url": "https://another.example.net/" } })).await.unwrap_err().to_string();
    assert!(moved.contains("receiver another.example.net is not possible"), "{moved}");
    let hidden = json!({ "spec": { "url": null, "urlFrom": from_secret()["urlFrom"] } });
    assert!(change(hidden).await.unwrap_err().to_string().contains("urlFrom is not possible"));
    let status = json!({ "status": { "observedGeneration": 1, "conditions": [] } });
    api.patch_status("builds", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    api.delete("builds", &DeleteParams::default()).await.unwrap();
    change(json!({ "metadata": { "finalizers": null } })).await.unwrap();
    assert!(api.get_opt("builds").await.unwrap().is_none());
}
