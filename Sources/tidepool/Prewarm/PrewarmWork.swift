import ArgumentParser
import DiskStore
import Locking
import Logging
import MirrorCore
import Ocync
import Prewarm
import Settings
import YAMLReading

/// One run of `prewarm`, from the plan to the summary.
struct PrewarmWork {
    let loaded: LoadedOcync
    var options: PrewarmOptions
    let isJSON: Bool

    /// Explains the plan, and fetches nothing.
    func explain(_ place: PrewarmPlace) async -> PrewarmOutcome {
        let console = PrewarmConsole(keepsOutput: true)
        let plan = await planner(place).plan { event in console.show(event) }
        console.close()
        tell(plan.warnings)
        Console.result(isJSON ? String(decoding: PlanDocument(plan).json, as: UTF8.self) : PlanText(plan: plan).text)
        return plan.outcome
    }

    /// Fetches what is missing.
    func carryOut(_ place: PrewarmPlace) async -> PrewarmOutcome {
        let console = PrewarmConsole(keepsOutput: isJSON)
        let options = options(for: place)
        let plan = await planner(place).plan { event in console.show(event) }
        console.show(.planned(plan))
        let run = PrewarmRun(plan, options, mirror: place.mirror)
        let report = await run.carryOut { event in console.show(event) }
        console.close()
        tell(plan.warnings)
        for line in PrewarmText.summary(of: report) {
            if line.isProblem || isJSON { Console.problem(line.text) } else { Console.result(line.text) }
        }
        if isJSON { Console.result(String(decoding: ReportDocument(report).json, as: UTF8.self)) }
        return report.outcome
    }

    private func planner(_ place: PrewarmPlace) -> Planner {
        Planner(
            loaded.configuration,
            options(for: place),
            mirror: place.mirror,
            warnings: loaded.warnings.map(\.description)
        )
    }

    private func options(for place: PrewarmPlace) -> PrewarmOptions {
        var options = options
        options.refusedRegistries = place.refused
        return options
    }

    /// Tells what is odd about the plan; what is odd about the file was told at the start.
    private func tell(_ warnings: [String]) {
        for warning in warnings.dropFirst(loaded.warnings.count) { Console.problem("warning: \(warning)") }
    }
}
