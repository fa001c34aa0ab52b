import Hashing
import MirrorCore
import OCI

/// What the cases ask for: the same in every run, since nothing of it is random.
enum Samples {
    static let repository = Repository(upstream: .dockerHub, name: (try? RepositoryName("library/nginx"))!)
    /// Of usual length.
    static let requestID = "5e0c2a3f9b1d7c44-1234567"

    /// The digest of some number's text, with its kind.
    static func digest(_ number: Int, _ kind: ContentKind) -> Digest {
        let text = Array("\(kind) \(number)".utf8)
        return Digest(algorithm: .sha256, bytes: ContentHasher.hash(text.span, .sha256).span)!
    }

    static func tag(_ number: Int) -> Tag { (try? Tag("1.\(number / 10).\(number % 10)-alpine"))! }

    /// A request target as containerd writes it: the upstream in the query.
    static func target(_ kind: ContentKind, _ reference: Reference) -> String {
        "/v2/\(repository.name)/\(kind == .manifest ? "manifests" : "blobs")/\(reference)?ns=docker.io"
    }

    /// An image manifest's size, with some six layers.
    static let manifestSize = 1500
}
