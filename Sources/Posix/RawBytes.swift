extension Span<UInt8> {
    /// Calls `body` with the same bytes as a `RawSpan`, which is what SwiftNIO's buffers copy from at once.
    ///
    /// `Span.bytes` counts as unsafe in Swift 6.3, since raw bytes of any type might show padding; `UInt8` has none.
    package func withRawBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        unsafe body(bytes)
    }
}
