/// Bounds for the numbers of a version, all of which must hold: `>=1.25, <2`.
///
/// Suffixes do not count: `<2.0` does not admit `2.0.0-rc1`. A bound without an operator is one to be equal to, missing
/// numbers being zero.
package struct VersionRange: Hashable, Sendable {
    private let bounds: [Bound]

    private struct Bound: Hashable {
        var relation: Relation
        var numbers: [UInt64]
    }

    private enum Relation: String, CaseIterable {
        // The longer ones first: they are looked for in this order.
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"
        case equal = "="
    }

    package init(_ text: String) throws(VersionRangeError) {
        let text = text[...].trimmed
        guard !text.isEmpty else { throw .emptyRange }
        var bounds: [Bound] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            bounds.append(try Self.bound(part.trimmed))
        }
        self.bounds = bounds
    }

    private static func bound(_ text: Substring) throws(VersionRangeError) -> Bound {
        guard let first = text.first else { throw .emptyConstraint }
        if "^~".contains(first) || text.contains(where: { "xX*".contains($0) }) { throw .unsupported(String(text)) }
        let relation = Relation.allCases.first { text.hasPrefix($0.rawValue) }
        var number = text.dropFirst(relation?.rawValue.count ?? 0).trimmed
        if number.first == "v" { number.removeFirst() }
        guard !number.contains("-") else { throw .prerelease(String(number)) }
        var numbers: [UInt64] = []
        for part in number.split(separator: ".", omittingEmptySubsequences: false) {
            guard let value = UInt64(part) else { throw .malformed(String(number)) }
            numbers.append(value)
        }
        return Bound(relation: relation ?? .equal, numbers: numbers)
    }

    package func contains(_ version: TagVersion) -> Bool {
        bounds.allSatisfy { bound in
            let isLower = TagVersion.isLower(version.numbers, bound.numbers)
            return switch bound.relation {
            case .atLeast: isLower != true
            case .atMost: isLower != false
            case .above: isLower == false
            case .below: isLower == true
            case .equal: isLower == nil
            }
        }
    }
}

/// Why a text is no range of versions.
package enum VersionRangeError: Error, Hashable, Sendable {
    case emptyRange
    case emptyConstraint
    case unsupported(String)
    case prerelease(String)
    case malformed(String)
}

extension VersionRangeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .emptyRange: "empty range"
        case .emptyConstraint: "empty constraint"
        case .unsupported(let constraint):
            "unsupported range syntax '\(constraint)'; use a comma-joined combination of >=, <=, >, <, ="
        case .prerelease(let bound): "prerelease suffix not allowed in range bound: '\(bound)'"
        case .malformed(let bound): "malformed bound '\(bound)'"
        }
    }
}
