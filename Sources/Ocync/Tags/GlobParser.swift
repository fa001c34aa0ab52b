/// Reads a pattern from left to right; the first mistake ends it.
struct GlobParser {
    private var rest: Substring.UnicodeScalarView
    /// The open groups, the pattern itself first; each with its branches so far.
    private var groups: [[[Glob.Token]]] = [[[]]]
    /// Matching goes down as deep as groups are nested; the regular expressions behind ocync's have a limit like this.
    private static let deepest = 100

    init(_ pattern: String) {
        rest = Substring(pattern).unicodeScalars
    }

    mutating func parse() throws(GlobError) -> [Glob.Token] {
        while let scalar = rest.popFirst() {
            switch scalar {
            case "?": append(.one)
            case "*": parseStar()
            case "[": append(try parseClass())
            case "{":
                guard groups.count <= Self.deepest else { throw .tooDeep }
                groups.append([[]])
            case "}": try closeGroup()
            case "," where groups.count > 1: groups[groups.count - 1].append([])
            case "\\":
                guard let escaped = rest.popFirst() else { throw .danglingEscape }
                append(.literal(escaped))
            default: append(.literal(scalar))
            }
        }
        guard groups.count == 1 else { throw .unclosedAlternates }
        return groups[0][0]
    }

    /// The branch that is being read.
    private var branch: [Glob.Token] { groups.last?.last ?? [] }

    private mutating func append(_ token: Glob.Token) {
        let group = groups.count - 1
        groups[group][groups[group].count - 1].append(token)
    }

    /// Ends a group; one without any branch that says something matches nothing but the empty text.
    private mutating func closeGroup() throws(GlobError) {
        guard groups.count > 1 else { throw .unopenedAlternates }
        let branches = groups.removeLast().filter { !$0.isEmpty }
        if !branches.isEmpty { append(.either(branches)) }
    }

    /// Reads what follows a star; `**` is no more than `*`, but for `**/` at the beginning.
    private mutating func parseStar() {
        guard rest.first == "*" else { return append(.run) }
        rest.removeFirst()
        let isBeginning = branch.isEmpty || branch == [.folders]
        guard isBeginning, rest.first == "/" else { return append(.run) }
        rest.removeFirst()
        if branch.isEmpty { append(.folders) }
    }

    /// Reads a class up to its bracket: `]` stands for itself at the beginning, `-` at both ends.
    private mutating func parseClass() throws(GlobError) -> Glob.Token {
        let isNegated = rest.first == "!" || rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while let scalar = rest.popFirst() {
            if scalar == "]", !ranges.isEmpty { return .oneOf(ranges, isNegated: isNegated) }
            guard scalar == "-", !ranges.isEmpty, let next = rest.first, next != "]" else {
                ranges.append(scalar...scalar)
                continue
            }
            rest.removeFirst()
            // A range may go on from the end of another: `[a-c-e]`.
            let first = ranges.removeLast().lowerBound
            guard first <= next else { throw .invalidRange(first, next) }
            ranges.append(first...next)
        }
        throw .unclosedClass
    }
}
