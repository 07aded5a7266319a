//! Writes the manifests.
fn main() {
    for d in port53_crds::definitions() {
        println!("{}", port53_crds::to_yaml(&d));
    }
}
