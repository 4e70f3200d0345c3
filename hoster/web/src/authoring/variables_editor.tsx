import { Button } from "@/elements/button";
import type { Problem } from "@/problems/problem";
import { type DraftVariable, newVariable, variableFaults } from "./draft";
import { VariableRow } from "./variable_row";

interface VariablesEditorProps {
  readonly variables: readonly DraftVariable[];
  readonly onVariables: (variables: readonly DraftVariable[]) => void;
  readonly problem: Problem | null;
}

/** The form that stands in front of the template, field by field. */
export function VariablesEditor({ variables, onVariables, problem }: VariablesEditorProps) {
  return (
    <fieldset class="variables">
      <legend>Variables</legend>
      <p class="hint">
        What is asked of whoever deploys it. Use a value as <code>$&#123;NAME&#125;</code> in the compose
        file.
      </p>
      <ol class="plain-list">
        {variables.map((variable, index) => (
          <VariableRow
            key={variable.key}
            variable={variable}
            place={index + 1}
            faults={variableFaults(problem, variable, index)}
            onVariable={(changed) =>
              onVariables(variables.map((one) => (one.key === changed.key ? changed : one)))
            }
            onRemove={() => onVariables(variables.filter((one) => one.key !== variable.key))}
          />
        ))}
      </ol>
      <p class="row">
        <Button small onClick={() => onVariables([...variables, newVariable()])}>
          Add a variable
        </Button>
      </p>
    </fieldset>
  );
}
