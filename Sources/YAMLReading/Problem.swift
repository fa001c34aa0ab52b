/// One thing that is wrong with a file, or worth a warning, and where.
package struct Problem: Hashable, Sendable {
    package var file: String
    /// From 1; `nil` when the whole file is meant.
    package var line: Int?
    /// The key, such as `upstreams.docker.io.tag_ttl`; empty for the whole file.
    package var path: String
    /// Never holds a secret, nor a value that came from the environment.
    package var message: String

    package init(file: String, line: Int?, path: String, message: String) {
        self.file = file
        self.line = line
        self.path = path
        self.message = message
    }
}

extension Problem: CustomStringConvertible {
    /// `config/tidepool.yaml:14: upstreams.docker.io.tag_ttl: "60x" is not a duration; …`.
    package var description: String {
        var place = file
        if let line { place += ":\(line)" }
        return [place, path, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

extension [Problem] {
    /// By line; what has none comes first, and the order within a line stays.
    package var inOrderOfLines: [Problem] {
        enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }.map(\.element)
    }
}
