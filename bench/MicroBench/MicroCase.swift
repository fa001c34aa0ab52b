/// A piece of what a request costs, small enough to be counted in instructions.
struct MicroCase: Sendable {
    /// Does the work once; the number is that of the turn, so that not the same is asked for each time.
    ///
    /// Returns something of the result: what nobody uses is not computed.
    typealias Operation = (_ turn: Int) -> Int

    let name: String
    let summary: String
    /// How many operations are worth counting: about a tenth of a second under callgrind.
    let count: Int
    /// Makes ready what the operation needs.
    let prepare: @Sendable (_ scene: Scene) throws -> Operation

    static let all = RegistryCases.all + DigestCases.all + IndexCases.all + ResponseCases.all

    struct Result {
        var duration: Duration
        var checksum: Int
    }

    /// Does the work so many times.
    func run(_ count: Int, in scene: Scene) throws -> Result {
        let operation = try prepare(scene)
        let clock = ContinuousClock()
        let start = clock.now
        let checksum = measured(count, operation)
        return Result(duration: clock.now - start, checksum: checksum)
    }
}

/// Has a name of its own, by which callgrind tells the work from what made it ready.
@inline(never)
private func measured(_ count: Int, _ operation: MicroCase.Operation) -> Int {
    var checksum = 0
    for turn in 0..<count { checksum &+= operation(turn) }
    return checksum
}

/// Where a case runs.
struct Scene {
    /// An index that is filled; made when first asked for, unless it is there.
    var index: SampleIndex
}
