/// A pattern for tags as ocync's glob library reads it; it must match the whole tag, with its case.
///
/// `*` is any run of characters and `?` exactly one; `[a-z]` is a class, `[!a]` and `[^a]` its opposite; `{a,b}` is one
/// of several patterns, of which empty ones do not count; `\` takes the special meaning from the next character.
package struct Glob: Hashable, Sendable {
    let tokens: [Token]

    enum Token: Hashable, Sendable {
        case literal(Unicode.Scalar)
        /// `?`
        case one
        /// `*`
        case run
        /// `**/` at the beginning: nothing, or anything that ends in a slash.
        case folders
        case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)
        case either([[Token]])
    }

    package init(_ pattern: String) throws(GlobError) {
        var parser = GlobParser(pattern)
        tokens = try parser.parse()
    }

    /// Whether the whole of a text matches.
    ///
    /// Takes time in proportion to the lengths of pattern and text, whatever the pattern: all places that a part of the
    /// pattern may reach are followed at once.
    package func matches(_ text: String) -> Bool {
        if tokens == [.folders] { return true }
        let text = Array(text.unicodeScalars)
        var reached = [Bool](repeating: false, count: text.count + 1)
        reached[0] = true
        return Self.follow(tokens, in: text, from: reached)[text.count]
    }

    /// The places after the tokens, for each place before them.
    private static func follow(_ tokens: [Token], in text: [Unicode.Scalar], from start: [Bool]) -> [Bool] {
        tokens.reduce(start) { places, token in follow(token, in: text, from: places) }
    }

    private static func follow(_ token: Token, in text: [Unicode.Scalar], from places: [Bool]) -> [Bool] {
        switch token {
        case .literal(let scalar): step(places, in: text) { $0 == scalar }
        case .one: step(places, in: text) { _ in true }
        case .oneOf(let ranges, let isNegated):
            step(places, in: text) { scalar in ranges.contains { $0.contains(scalar) } != isNegated }
        case .run: after(places) { _ in true }
        case .folders:
            zip(places, after(places) { $0 > 0 && text[$0 - 1] == "/" }).map { $0 || $1 }
        case .either(let branches):
            branches.map { follow($0, in: text, from: places) }
                .reduce([Bool](repeating: false, count: places.count)) {
                    zip($0, $1).map { $0 || $1 }
                }
        }
    }

    /// The places one character further on, where the character is right.
    private static func step(
        _ places: [Bool],
        in text: [Unicode.Scalar],
        where isRight: (Unicode.Scalar) -> Bool
    ) -> [Bool] {
        places.indices.map { $0 > 0 && places[$0 - 1] && isRight(text[$0 - 1]) }
    }

    /// The places at or after the first one that satisfy a condition.
    private static func after(_ places: [Bool], where isRight: (Int) -> Bool) -> [Bool] {
        guard let first = places.firstIndex(of: true) else { return places }
        return places.indices.map { $0 >= first && isRight($0) }
    }
}

/// Why a text is no pattern.
package enum GlobError: Error, Hashable, Sendable {
    case unclosedClass
    case invalidRange(Unicode.Scalar, Unicode.Scalar)
    case unclosedAlternates
    case unopenedAlternates
    case danglingEscape
    case tooDeep
}

extension GlobError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unclosedClass: "unclosed character class; missing ']'"
        case .invalidRange(let first, let last): "invalid range; '\(first)' > '\(last)'"
        case .unclosedAlternates: "unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"
        case .unopenedAlternates: "unopened alternate group; missing '{' (maybe escape '}' with '[}]'?)"
        case .danglingEscape: "dangling '\\'"
        case .tooDeep: "alternate groups are nested too deeply"
        }
    }
}
