/// Where we accept what ocync refuses, though its documentation shows it.
package struct Leniency: Hashable, Sendable {
    /// The tag of a mapping that has no tags anywhere; `nil` to refuse it.
    package var defaultTag: String?
    /// Whether `latest` may take its `sort` from another block.
    package var inheritsSort: Bool

    package init(defaultTag: String? = "latest", inheritsSort: Bool = true) {
        self.defaultTag = defaultTag
        self.inheritsSort = inheritsSort
    }

    /// What ocync itself does.
    package static let none = Leniency(defaultTag: nil, inheritsSort: false)
}
