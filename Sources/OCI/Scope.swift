/// What a token is for, in the words of the registry that wants it: `repository:library/nginx:pull`.
///
/// The token specification's `scope`. Some registries use words of their own (`aws`), which are kept as they are.
package struct Scope: Hashable, Sendable {
    package let text: String

    /// Takes the scope of a challenge; fails when it is empty, which means the same as none (`nvcr.io`).
    package init?(challenged text: String?) {
        guard let text, !text.isEmpty else { return nil }
        self.text = text
    }

    private init(_ text: String) {
        self.text = text
    }

    /// Reading one repository.
    package static func pull(_ repository: RepositoryName) -> Scope {
        Scope("repository:\(repository):pull")
    }

    /// Whether it names a repository; if not, it serves for all of them.
    package var isOfRepository: Bool { text.hasPrefix("repository:") }
}

extension Scope: CustomStringConvertible {
    package var description: String { text }
}
