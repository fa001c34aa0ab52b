/// A pattern for repository names and tags.
///
/// `*` matches within one component, `**` as a whole component matches any number of them, `?` one character other
/// than `/`; everything else matches itself.
package struct Glob: Hashable, Sendable {
    package let text: String
    private let components: [[Character]]

    package init(_ text: String) {
        self.text = text
        components = text.split(separator: "/", omittingEmptySubsequences: false).map(Array.init)
    }

    package func matches(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(Array.init)
        return Self.matches(components[...], parts[...])
    }

    private static func matches(_ pattern: ArraySlice<[Character]>, _ parts: ArraySlice<[Character]>) -> Bool {
        guard let first = pattern.first else { return parts.isEmpty }
        let rest = pattern.dropFirst()
        if first == ["*", "*"] {
            return (0...parts.count).contains { matches(rest, parts.dropFirst($0)) }
        }
        guard let part = parts.first, matchesComponent(first, part) else { return false }
        return matches(rest, parts.dropFirst())
    }

    /// Matches one component in time proportional to the product of the lengths, with no recursion.
    private static func matchesComponent(_ pattern: [Character], _ text: [Character]) -> Bool {
        var position = 0
        var index = 0
        var lastStar: (pattern: Int, text: Int)?
        while index < text.count {
            if position < pattern.count, pattern[position] == "*" {
                lastStar = (position, index)
                position += 1
            } else if position < pattern.count, pattern[position] == "?" || pattern[position] == text[index] {
                position += 1
                index += 1
            } else if let star = lastStar {
                // Let the last star take one character more, and try again from there.
                lastStar = (star.pattern, star.text + 1)
                position = star.pattern + 1
                index = star.text + 1
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == "*" }
    }
}
