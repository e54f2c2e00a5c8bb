/** The page of a comparison in a real browser: what it loads, draws, answers to, and how it stands at the sizes and in the modes that people have. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { comparisonOf } from "../../src/report/comparison-report.fixture.ts";
import type { ComparisonReport } from "../../src/report/comparison-report.ts";
import { readPageAssets } from "../../src/report/page-assets.ts";
import { renderReport } from "../../src/report/render-report.ts";
import { missingChromium, startChromium } from "./chromium.ts";
import { skipWithout } from "./real-processes.ts";

const report = comparisonOf();

describe.skipIf(skipWithout(missingChromium()))("the report in Chromium", () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await startChromium();
    folder = mkdtempSync(join(tmpdir(), "grove-report-"));
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  interface Opened {
    readonly page: Page;
    /** What the page asked for beside itself, and what the console said. */
    readonly requests: readonly string[];
    readonly complaints: readonly string[];
  }

  async function open(
    options: BrowserContextOptions = {},
    document: ComparisonReport = report,
    run: (opened: Opened) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const file = join(folder, "report.html");
    writeFileSync(file, renderReport(document, readPageAssets()));
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    await page.locator('html[data-plots="drawn"]').waitFor();
    await run({ page, requests: requests.filter((one) => one !== url), complaints });
    expect(requests.filter((one) => one !== url && !one.startsWith("blob:"))).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  }

  test("draws a mark for each autoscaler in every scenario, at its numbers", async () => {
    await open({}, report, async ({ page }) => {
      for (const [index, { results }] of report.scenarios.entries()) {
        const plot = page.locator(`figure.pareto[data-scenario="${index}"] .plot`);
        for (const { autoscaler, parameters, measures } of results) {
          const attainment = measures.bySlo[0]?.values.attainmentRatio?.mean ?? Number.NaN;
          const says = `${autoscaler} (${parameters}): ${(100 * attainment).toFixed(1)} % on`;
          expect(await plot.locator(`[aria-label^="${says}"]`).count()).toBe(1);
        }
        expect(await plot.locator('path[aria-label="frontier"]').count()).toBe(1);
        expect(await plot.locator('[aria-label="intervals of attainment"]').count()).toBeGreaterThan(
          results.length - 1,
        );
        expect(await plot.locator(".legend li").count()).toBe(results.length);
      }
      const axes = await page.locator("figure.pareto .plot").first().innerText();
      expect(axes).toMatch(/SLO attainment, % of requests/);
      expect(axes).toMatch(/GPU-hours allocated/);
    });
  });

  test("a better attainment is higher, more GPU-hours are farther right", async () => {
    await open({}, report, async ({ page }) => {
      const center = async (label: string): Promise<{ x: number; y: number }> => {
        const box = await page.locator(`figure.pareto[data-scenario="0"] [aria-label^="${label}"]`).boundingBox();
        return { x: box!.x + box!.width / 2, y: box!.y + box!.height / 2 };
      };
      const [ours, hpa] = [await center("ours (tuned):"), await center("hpa (tuned):")];
      expect(ours.y).toBeLessThan(hpa.y);
      expect(ours.x).toBeLessThan(hpa.x);
    });
  });

  test("another SLO moves the marks", async () => {
    await open({}, report, async ({ page }) => {
      const figure = page.locator('figure.pareto[data-scenario="1"]');
      const says = (): Promise<string | null> =>
        figure.locator('[aria-label^="hpa (default):"]').getAttribute("aria-label");
      const before = await says();
      await figure.getByLabel("1500 ms / 50 ms").check();
      const wide = report.scenarios[1]?.results.find((one) => one.autoscaler === "hpa" && one.parameters === "default");
      expect(await says()).not.toBe(before);
      expect(await says()).toContain(`${(100 * wide!.measures.bySlo[1]!.values.attainmentRatio!.mean).toFixed(1)} %`);
    });
  });

  test("time lines show ours and the best peer, and whom one selects, by keyboard", async () => {
    await open({}, report, async ({ page }) => {
      const figure = page.locator('figure.lines[data-scenario="0"]');
      const ready = (name: string): Promise<number> => figure.locator(`path[aria-label="${name}, ready"]`).count();
      const roles = 2;
      expect([await ready("ours (tuned)"), await ready("aibrix-apa (tuned)"), await ready("hpa (default)")]).toEqual([
        roles,
        roles,
        0,
      ]);
      await figure.getByRole("checkbox", { name: "hpa (default)" }).focus();
      await page.keyboard.press("Space");
      expect(await ready("hpa (default)")).toBe(roles);
      await figure.getByRole("checkbox", { name: "ours (tuned)" }).focus();
      await page.keyboard.press("Space");
      expect(await ready("ours (tuned)")).toBe(0);
      expect(await figure.locator("h4").allInnerTexts()).toEqual([
        "Offered load, requests per second",
        "Replicas of prefill",
        "Replicas of decode",
        "GPUs allocated",
        "Time to the first token, p90, seconds (logarithmic)",
        "Time between tokens, p90, milliseconds",
      ]);
      const checked = figure.locator("input:checked");
      while ((await checked.count()) > 0) await checked.first().click();
      expect(await figure.locator(".plot").innerText()).toBe("No autoscaler is selected.");
    });
  });

  test("the tables have the numbers of the document", async () => {
    await open({}, report, async ({ page }) => {
      const row = page.locator("#scenario-0 table").first().locator("tr", { hasText: "hpa (tuned)" });
      const hpa = report.scenarios[0]!.results.find((one) => one.autoscaler === "hpa" && one.parameters === "tuned")!;
      const cells = await row.locator("td").allInnerTexts();
      expect(cells[1]).toContain((100 * hpa.measures.bySlo[0]!.values.attainmentRatio!.mean).toFixed(1));
      expect(cells[2]).toContain(hpa.measures.values.allocatedGpuHours!.mean.toFixed(1));
    });
  });

  test("every number can be downloaded", async () => {
    await open({}, report, async ({ page }) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download every number (JSON)" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("comparison.json");
      expect(JSON.parse(readFileSync(await download.path(), "utf8"))).toEqual(JSON.parse(JSON.stringify(report)));
    });
  });

  test.each([
    { width: 1280, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
    { width: 400, colorScheme: "light" },
    { width: 400, colorScheme: "dark" },
  ] as const)(
    "at $width pixels, $colorScheme: nothing sticks out, and text and marks stand off the paper",
    async ({ width, colorScheme }) => {
      await open({ viewport: { width, height: 800 }, colorScheme }, report, async ({ page }) => {
        expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
        const widths = await page
          .locator(".plot svg")
          .evaluateAll((all: { getBoundingClientRect(): { right: number } }[]) =>
            all.map((svg) => svg.getBoundingClientRect().right),
          );
        expect(Math.max(...widths)).toBeLessThanOrEqual(width);
        // WCAG 2: 4.5 for text, 3 for marks.
        const contrasts: Record<string, number> = await page.evaluate(CONTRASTS);
        for (const [name, contrast] of Object.entries(contrasts)) {
          expect(contrast, name).toBeGreaterThanOrEqual(name.startsWith("--s") ? 3 : 4.5);
        }
      });
    },
  );

  test("the whole page is reached with Tab, and what has the focus is outlined", async () => {
    await open({}, report, async ({ page }) => {
      const seen = new Set<string>();
      for (;;) {
        await page.keyboard.press("Tab");
        if (await page.evaluate<boolean>("document.activeElement === document.body")) break;
        seen.add(
          await page.evaluate<string>(
            'document.activeElement.closest("figure")?.className ?? document.activeElement.className ?? document.activeElement.tagName',
          ),
        );
        expect(await page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle")).not.toBe("none");
      }
      expect([...seen]).toEqual(expect.arrayContaining(["skip", "scroll", "pareto", "lines"]));
    });
  });

  test("names that are markup are shown, not run", async () => {
    const evil = '<img src=x onerror="document.title=1">';
    const hostile: ComparisonReport = {
      ...report,
      autoscalers: report.autoscalers.map((one) => ({ ...one, name: `${one.name}${evil}` })),
      scenarios: report.scenarios.map((one) => ({
        ...one,
        name: evil,
        results: one.results.map((result) => ({ ...result, autoscaler: `${result.autoscaler}${evil}` })),
      })),
    };
    await open({}, hostile, async ({ page }) => {
      expect(await page.locator("img").count()).toBe(0);
      expect(await page.title()).toBe(report.title);
      expect(await page.locator("#scenario-0 h2").innerText()).toBe(evil);
    });
  });
});

/** Of text, links and series against the paper, by the page's own variables. */
const CONTRASTS = `(() => {
  const style = getComputedStyle(document.documentElement);
  const probe = document.body.appendChild(document.createElement("i"));
  const luminance = (name) => {
    probe.style.color = style.getPropertyValue(name);
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance("--paper");
  const names = ["--ink", "--soft", "--accent", ...Array.from({ length: 10 }, (_, index) => "--s" + index)];
  return Object.fromEntries(names.map((name) => {
    const ink = luminance(name);
    return [name, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)];
  }));
})()`;
